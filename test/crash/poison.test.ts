import { expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { isFull } from './effort.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()

interface Survivor {
  readonly deaths: number
  /** The journals of all lives, one after the other. */
  readonly journal: readonly string[]
  /** What is known of each of these jobs at the end. */
  readonly jobs: readonly unknown[]
}

/** Starts the engine again and again, until a life of it comes to rest. */
async function surviveUntilQuiet(
  database: string,
  first: EngineProcess,
  watched: readonly string[],
): Promise<Survivor> {
  const journal: string[] = []
  let deaths = 1
  expect(await first.ended()).toMatchObject({ signal: 'SIGKILL' })
  journal.push(...first.journal)
  for (;;) {
    expect(checkDatabase(database), `after death ${deaths}`).toEqual([])
    await using next = EngineProcess.host({ database, threads: 2 })
    const isQuiet = await next.ask({ kind: 'idle' }).then(
      () => true,
      () => false,
    )
    if (!isQuiet) {
      expect(await next.ended()).toMatchObject({ signal: 'SIGKILL' })
      journal.push(...next.journal)
      deaths++
      // Without a bound a poison job that is never given up would go on for ever.
      if (deaths > 20) throw new Error('The poison is not given up')
      continue
    }
    const jobs = await Promise.all(watched.map((jobId) => next.ask({ kind: 'get', jobId })))
    await next.leave()
    journal.push(...next.journal)
    return { deaths, journal, jobs }
  }
}

/** Adds jobs in one transaction, which they outlive only together; gives the ids of those that are poison. */
async function poisonsOf(
  database: string,
  host: EngineProcess,
  jobTypes: readonly ('STEP' | 'POISON')[],
): Promise<string[]> {
  host.ask({ kind: 'enqueue-together', jobTypes }).catch(() => {})
  await host.ended()
  const stored = readJobs(database)
  expect(stored.size).toBe(jobTypes.length)
  return [...stored].filter(([, { jobType }]) => jobType === 'POISON').map(([id]) => id)
}

function countStarts(journal: readonly string[], jobId: string): number {
  return journal.filter((line) => line.startsWith(`started ${jobId} `)).length
}

function statesOf(database: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { state } of readJobs(database).values()) counts[state] = (counts[state] ?? 0) + 1
  return counts
}

test('a job that kills the process each time is given up, and all others are done', async () => {
  const database = place.pathOf('tasks.db')
  const others = isFull ? 1_000 : 200
  await using first = EngineProcess.host({ database, threads: 2 })
  await first.line('ready')
  const half = Array<'STEP'>(others / 2).fill('STEP')
  const poison = await poisonsOf(database, first, [...half, 'POISON', ...half])
  const { deaths, journal, jobs } = await surviveUntilQuiet(database, first, poison)
  expect(jobs).toEqual([
    expect.objectContaining({ state: 'FAILED', causes: ['PROCESS_DIED', 'PROCESS_DIED'] }),
  ])
  expect(statesOf(database)).toEqual({ DONE: others, FAILED: 1 })
  expect(deaths).toBeLessThanOrEqual(6)
  expect(countStarts(journal, poison[0] ?? '')).toBe(deaths)
})

test('an innocent long job that runs beside the poison is never given up', async () => {
  const database = place.pathOf('tasks.db')
  await using first = EngineProcess.host({ database, threads: 2 })
  await first.line('ready')
  const long = await first.enqueue('LONG', { ms: 300 })
  await first.line(`started ${long}`)
  // It may end the process before its acknowledgement is told.
  first.enqueue('POISON').catch(() => {})
  const [, poison = ''] = (await first.line('started', 2)).split(' ')
  const { deaths, journal, jobs } = await surviveUntilQuiet(database, first, [long, poison])
  expect(jobs).toEqual([
    expect.objectContaining({ state: 'DONE', causes: [] }),
    expect.objectContaining({ state: 'FAILED', causes: ['PROCESS_DIED', 'PROCESS_DIED'] }),
  ])
  expect(countStarts(journal, long)).toBeGreaterThan(1)
  expect(deaths).toBeLessThanOrEqual(6)
})

test('two poison jobs are both given up', async () => {
  const database = place.pathOf('tasks.db')
  await using first = EngineProcess.host({ database, threads: 2 })
  await first.line('ready')
  const poisons = await poisonsOf(database, first, ['STEP', 'POISON', 'STEP', 'POISON', 'STEP'])
  const { deaths, jobs } = await surviveUntilQuiet(database, first, poisons)
  const given = expect.objectContaining({ state: 'FAILED', causes: ['PROCESS_DIED', 'PROCESS_DIED'] })
  expect(jobs).toEqual([given, given])
  expect(statesOf(database)).toEqual({ DONE: 3, FAILED: 2 })
  // One or two with others beside them, and two alone for each.
  expect(deaths).toBeLessThanOrEqual(8)
})
