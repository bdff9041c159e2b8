/** A page of the file is overwritten while the engine has it open: the trouble of the jobs on it, and of no other. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startScripted, useEngines } from './open-engine.ts'

const engines = useEngines()
const harmPage = join(import.meta.dirname, '../fixtures/store/harm-page.ts')

test('outcomes that a damaged page keeps from being recorded hold up no other', async () => {
  // Not kept: its file is not sound after the test.
  const database = engines.pathOf('harmed.db')
  const engine = await startScripted({ database, threads: 3, maintenance: false })
  const failures: (string | undefined)[] = []
  const allTold = new Promise<void>((resolve) =>
    engine.events.on('commit-failed', ({ jobId }) => {
      failures.push(jobId)
      if (new Set(failures).size === 2) resolve()
    }),
  )
  const bad = await Promise.all([1, 2].map(() => engine.enqueue('GATE', { gate: 'g' })))
  await engines.stage.waits('g', 2)
  const others = Array.from({ length: 400 }, () => ({ type: 'OK', payload: 'x'.repeat(100) }) as const)
  for (const other of await engine.enqueueMany(others)) await other.result()
  execFileSync(process.execPath, [harmPage, database])
  engines.stage.open('g')
  await allTold
  for (let later = 0; later < 3; later++) await (await engine.enqueue('OK', later)).result()
  expect(new Set(failures)).toEqual(new Set(bad.map(({ id }) => id)))
  expect((await engine.stats()).jobs).toMatchObject({ RUNNING: 2, QUEUED: 0, DONE: 403 })
  expect(await engine.stop()).toMatchObject({ leftRunning: 2 })

  const again = await startScripted({ database, maintenance: false })
  await (await again.enqueue('OK', 'after the start')).result()
  await again.idle()
  expect(await again.stop()).toMatchObject({ leftRunning: 2 })
})
