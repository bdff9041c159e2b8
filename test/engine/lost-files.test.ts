import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('without its lock file a database that is in use is refused all the same, and is free after the stop', async () => {
  const engine = await engines.open()
  rmSync(engines.pathOf('tasks.db.lock'))
  const error = await rejectionOf(engines.open(), 'DATABASE_LOCKED')
  expect(error.message).toContain(`process ${process.pid} on`)
  expect(error.message).toContain('tasks.db.lock was removed')
  expect(error.details).toMatchObject({ holder: { pid: process.pid } })
  // A second time too: the lock file that the first refusal has left is not the holder's.
  await rejectionOf(engines.open(), 'DATABASE_LOCKED')
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
  await engine.stop()
  rmSync(engines.pathOf('tasks.db.lock'))
  expect(await (await (await engines.open()).enqueue('OK', 2)).result()).toBe(2)
})
