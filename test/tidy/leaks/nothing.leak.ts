import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { test } from 'vitest'

test('tidies up after itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kept-tidy-'))
  writeFileSync(join(folder, 'file'), '')
  const thread = new Worker('setInterval(() => {}, 1000)', { eval: true })
  await new Promise((resolve) => thread.once('online', resolve))
  await thread.terminate()
  rmSync(folder, { recursive: true })
})
