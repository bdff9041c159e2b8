import { expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()

test('what ran when the process died does not have to wait until the backlog is done', async () => {
  const database = place.pathOf('tasks.db')
  await using killed = EngineProcess.host({ database, threads: 1 })
  await killed.line('ready')
  // Once it is known how long they take, few are claimed ahead.
  await killed.enqueue('LONG', { ms: 8 })
  await killed.ask({ kind: 'idle' })
  const deaf = await killed.enqueue('DEAF')
  await killed.line(`started ${deaf}`)
  await Promise.all(Array.from({ length: 250 }, () => killed.enqueue('LONG', { ms: 8 })))
  await killed.kill()
  const suspects = [...readJobs(database)].filter(([, { state }]) => state === 'RUNNING').map(([id]) => id)
  expect(suspects.length).toBeGreaterThan(2)
  expect(suspects.length).toBeLessThan(15)

  await using next = EngineProcess.host({ database, threads: 1 })
  await next.comeToRest()
  await next.leave()
  expect(checkDatabase(database)).toEqual([])
  const begun = next.journal.filter((line) => line.startsWith('started ')).map((line) => line.split(' ')[1])
  expect(begun).toHaveLength(251)
  // All of them but the first would come last, did each have to wait for a thread that nobody keeps free.
  const last = Math.max(...suspects.map((id) => begun.indexOf(id)))
  expect(last).toBeLessThan(200)
})

test('of thousands that are claimed only those are suspects that may have begun', async () => {
  const database = place.pathOf('tasks.db')
  await using killed = EngineProcess.host({ database, threads: 1 })
  await killed.line('ready')
  // Until it is known how short they are few are claimed.
  for (let round = 0; round < 3; round++)
    await Promise.all(Array.from({ length: 200 }, (_, number) => killed.enqueue('STEP', { number })))
  await killed.ask({ kind: 'idle' })
  const deaf = await killed.enqueue('DEAF')
  await killed.line(`started ${deaf}`)
  const steps = await Promise.all(
    Array.from({ length: 4_000 }, (_, number) => killed.enqueue('STEP', { number })),
  )
  await killed.kill()
  const claimed = [...readJobs(database)].filter(([, { state }]) => state === 'RUNNING')
  expect(claimed).toHaveLength(4_001)

  await using next = EngineProcess.host({ database, threads: 1 })
  await next.comeToRest()
  await next.leave()
  expect(checkDatabase(database)).toEqual([])
  const jobs = readJobs(database)
  const again = steps.filter((id) => jobs.get(id)?.attempt !== 1)
  expect(steps.filter((id) => jobs.get(id)?.state !== 'DONE')).toEqual([])
  // What the thread had been given, and what shares a block of numbers with it.
  expect(again.length).toBeGreaterThan(0)
  expect(again.length).toBeLessThanOrEqual(3_072 + 256)
  const begun = next.journal.filter((line) => line.startsWith('started ')).map((line) => line.split(' ')[1])
  expect(begun.filter((id) => id !== deaf).sort()).toEqual(steps.toSorted())
})
