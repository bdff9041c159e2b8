import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'

test('leaves a temporary file', () => {
  writeFileSync(join(tmpdir(), 'left-over.txt'), '')
})
