import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { isFull, randomFrom, seed } from './effort.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()
const blockingSetup = join(import.meta.dirname, '../fixtures/crash/blocking-setup.ts')

/** What a life leaves behind that dies with work under way: jobs that run, that wait, and that wait for their subject. */
async function leaveWork(database: string): Promise<string[]> {
  await using host = EngineProcess.host({ database, threads: 2 })
  await host.line('ready')
  const running = [
    await host.enqueue('GATED', { number: 0 }, { subjectKey: 'a' }),
    await host.enqueue('GATED', { number: 1 }),
  ]
  await Promise.all(running.map((id) => host.line(`started ${id}`)))
  const waiting = [
    await host.enqueue('STEP', { number: 2 }, { subjectKey: 'a', onRunning: 'finish' }),
    await host.enqueue('STEP', { number: 3 }, { subjectKey: 'b' }),
    ...(await Promise.all(Array.from({ length: 30 }, (_, number) => host.enqueue('STEP', { number })))),
  ]
  await host.kill()
  return [...running, ...waiting]
}

/** Starts the engine once more; everything that is left must come to its end. */
async function expectAllDone(database: string, jobIds: readonly string[]): Promise<void> {
  expect(checkDatabase(database), `seed ${seed}, after the kill`).toEqual([])
  await using last = EngineProcess.host({ database, threads: 2 })
  await last.comeToRest()
  await last.leave()
  expect(checkDatabase(database), `seed ${seed}, at the end`).toEqual([])
  const stored = readJobs(database)
  const states = jobIds.map((id) => stored.get(id)?.state)
  // The first of them had a newer generation.
  expect(states).toEqual(['SUPERSEDED', ...jobIds.slice(1).map(() => 'DONE')])
}

test('killed after the recovery and before it is ready', async () => {
  const database = place.pathOf('tasks.db')
  const jobIds = await leaveWork(database)
  for (let life = 0; life < 2; life++) {
    await using host = EngineProcess.host({ database, threads: 2, setup: blockingSetup })
    await host.line('setting-up')
    await host.kill()
    expect(checkDatabase(database)).toEqual([])
  }
  const ended = [...readJobs(database).values()].filter(({ state }) => state !== 'QUEUED')
  expect(ended.map(({ state }) => state)).toEqual(['SUPERSEDED'])
  await expectAllDone(database, jobIds)
})

test('killed anywhere between its start and its readiness', async () => {
  const database = place.pathOf('tasks.db')
  const random = randomFrom(seed)
  const jobIds = await leaveWork(database)
  const lives = isFull ? 40 : 2
  for (let life = 0; life < lives; life++) {
    await using host = EngineProcess.host({ database, threads: 2 })
    await host.line('starting')
    // As long as so many turns of this process take: nothing that the other could wait for tells these moments apart.
    for (let turns = Math.floor(random() * 30_000); turns > 0 && !host.journal.includes('ready'); turns--) {
      await turn()
    }
    await host.kill()
    expect(checkDatabase(database), `seed ${seed}, life ${life}`).toEqual([])
  }
  await expectAllDone(database, jobIds)
})

test('killed before the very first engine has made its database', async () => {
  const random = randomFrom(seed + 1)
  const lives = isFull ? 30 : 1
  for (let life = 0; life < lives; life++) {
    const file = place.pathOf(`tasks-${life}.db`)
    await using host = EngineProcess.host({ database: file, threads: 1 })
    await host.line('starting')
    for (let turns = Math.floor(random() * 30_000); turns > 0 && !host.journal.includes('ready'); turns--) {
      await turn()
    }
    await host.kill()
    await using next = EngineProcess.host({ database: file, threads: 1 })
    await next.line('ready')
    await next.enqueue('STEP', { number: life })
    await next.ask({ kind: 'idle' })
    await next.leave()
    expect(checkDatabase(file), `seed ${seed}, life ${life}`).toEqual([])
  }
})

test('killed in the grace of its stop', async () => {
  const database = place.pathOf('tasks.db')
  await using host = EngineProcess.host({ database, threads: 1 })
  await host.line('ready')
  const deaf = await host.enqueue('DEAF')
  await host.line(`started ${deaf}`)
  const waiting = await Promise.all(
    Array.from({ length: 20 }, (_, number) => host.enqueue('STEP', { number })),
  )
  host.ask({ kind: 'stop', graceMs: 3_600_000 }).catch(() => {})
  await host.line(`signalled ${deaf}`)
  await host.kill()
  expect(checkDatabase(database)).toEqual([])
  await using next = EngineProcess.host({ database, threads: 1 })
  await next.ask({ kind: 'idle' })
  expect(await next.ask({ kind: 'get', jobId: deaf })).toMatchObject({
    state: 'DONE',
    attempt: 2,
    causes: [],
  })
  // What had not begun was not charged for the attempt that it never had.
  for (const jobId of waiting) {
    expect(await next.ask({ kind: 'get', jobId })).toMatchObject({ state: 'DONE' })
    expect(next.journal.filter((line) => line.startsWith(`started ${jobId} `))).toHaveLength(1)
  }
  await next.leave()
  expect(checkDatabase(database)).toEqual([])
})

test('killed right after an acknowledgement', async () => {
  const database = place.pathOf('tasks.db')
  const acknowledged: string[] = []
  const lives = isFull ? 30 : 1
  for (let life = 0; life < lives; life++) {
    await using host = EngineProcess.host({ database, threads: 1 })
    await host.line('ready')
    host
      .enqueue('STEP', { number: life }, { idempotencyKey: `life ${life}`, subjectKey: `s ${life}` })
      .catch(() => {})
    await host.line('acknowledged')
    await host.kill()
    acknowledged.push(...host.journal.filter((line) => line.startsWith('acknowledged')))
    expect(checkDatabase(database), `life ${life}`).toEqual([])
  }
  await using last = EngineProcess.host({ database, threads: 1 })
  await last.ask({ kind: 'idle' })
  // Enqueued once more, each gives back the job that was acknowledged.
  for (let life = 0; life < lives; life++) {
    const options = { idempotencyKey: `life ${life}`, subjectKey: `s ${life}` }
    const jobId = await last.enqueue('STEP', { number: life }, options)
    expect(acknowledged[life]).toBe(`acknowledged ${jobId}`)
    expect(await last.ask({ kind: 'get', jobId })).toMatchObject({ state: 'DONE', causes: [] })
  }
  await last.leave()
  expect(checkDatabase(database)).toEqual([])
})
