import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()
const hourMs = 3_600_000

/** Puts the times of a job, of which no engine knows now, to another moment. */
function putTimes(database: string, jobId: string, ms: number): void {
  const seq = readJobs(database).get(jobId)?.seq
  const connection = new Connection(database)
  const policy = `json_replace(policy, '$.ttlEndsAt', ${ms}, '$.deadline', ${ms})`
  connection.exec(
    `UPDATE expirations SET expires_at = ${ms} WHERE seq = ${seq};
     UPDATE jobs SET policy = ${policy} WHERE seq = ${seq}`,
  )
  connection.close()
}

test('what runs out of time after a crash does not run, though nobody knows whether it had begun', async () => {
  const database = place.pathOf('tasks.db')
  await using killed = EngineProcess.host({ database, threads: 1 })
  await killed.line('ready')
  const gated = await killed.enqueue('GATED', { number: 0 }, { ttlMs: hourMs })
  await killed.line(`started ${gated}`)
  const step = (options: object) => killed.enqueue('STEP', { number: 1 }, options)
  const [ttl, deadline, soon, late] = [
    await step({ ttlMs: hourMs }),
    await step({ deadline: Date.now() + hourMs }),
    await step({ ttlMs: hourMs }),
    await step({ ttlMs: hourMs, deadline: Date.now() + hourMs }),
  ]
  await killed.kill()
  expect([...readJobs(database).values()].map(({ state }) => state)).toEqual(Array(5).fill('RUNNING'))
  putTimes(database, ttl, Date.now() - 1)
  putTimes(database, deadline, Date.now() - 1)
  putTimes(database, soon, Date.now() + 2_000)

  await using next = EngineProcess.host({ database, threads: 1 })
  // All are suspects, and wait for the first of them to end.
  await next.line(`started ${gated}`)
  let left: unknown
  do left = await next.ask({ kind: 'get', jobId: soon })
  while (JSON.stringify(left).includes('QUEUED'))
  await next.comeToRest()
  await next.leave()
  const ended = readJobs(database)
  expect([ttl, deadline, soon, late, gated].map((id) => ended.get(id)?.state)).toEqual([
    'SKIPPED_TTL',
    'SKIPPED_DEADLINE',
    'SKIPPED_TTL',
    'DONE',
    'DONE',
  ])
  expect(next.journal.filter((line) => line.startsWith('started '))).toEqual([
    `started ${gated} 2`,
    `started ${late} 2`,
  ])
  expect(checkDatabase(database)).toEqual([])
})
