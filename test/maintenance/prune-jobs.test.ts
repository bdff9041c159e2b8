/**
 * Goal: pruning deletes exactly what is past its retention, and nothing that hangs on what stays. Method: the duty and the
 * slices over a real database of random jobs, without threads, against a model that says of each job whether it goes.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { type MaintenanceOptions, readMaintenance } from '../../src/config.ts'
import { finalStates, isFinal, type JobState, jobStates } from '../../src/job/state.ts'
import type { DutyReport, DutySurroundings } from '../../src/maintenance/duty.ts'
import { PruneJobs } from '../../src/maintenance/prune-jobs.ts'
import { type Database, openReader, openWriter, readDatabaseId } from '../../src/store/open.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { notBegun, Slices } from '../../src/supervisor/maintenance-slice.ts'
import type { PruneReply, PruneRequest } from '../../src/supervisor/messages.ts'
import { checkDatabase } from '../crash/check-database.ts'
import { isFull, seed } from '../crash/effort.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
const now = 1_800_000_000_000
const hour = 3_600_000
const clock: Clock = { ...systemClock, wallMs: () => now }

interface ModelJob {
  readonly state: JobState
  readonly queue: string
  readonly ageMs: number
  readonly subject: string | null
  readonly isLong: boolean
  readonly hasKey: boolean
  readonly hasProgress: boolean
  readonly attempts: number
  readonly deadline: number | null
  /** How many like it come one after another. */
  readonly copies: number
}

const anyJob: fc.Arbitrary<ModelJob> = fc.record({
  state: fc.oneof({ weight: 3, arbitrary: fc.constant('DONE' as const) }, fc.constantFrom(...jobStates)),
  queue: fc.constantFrom('default', 'default', 'other'),
  ageMs: fc.integer({ min: 0, max: 10 }).map((hours) => hours * hour),
  subject: fc.constantFrom(null, null, null, 'a', 'b'),
  isLong: fc.boolean(),
  hasKey: fc.boolean(),
  hasProgress: fc.boolean(),
  attempts: fc.integer({ min: 0, max: 2 }),
  deadline: fc.constantFrom(null, null, now + hour),
  copies: fc.constantFrom(1, 1, 1, 1, 1, 2, 2, 2_500),
})

const anyOptions: fc.Arbitrary<MaintenanceOptions> = fc.record(
  {
    retentionDays: fc.integer({ min: 0, max: 10 }).map((hours) => hours / 24),
    retentionMs: fc.dictionary(
      fc.constantFrom(...finalStates),
      fc.integer({ min: 0, max: 10 }).map((hours) => hours * hour),
    ),
    maxFinishedJobs: fc.constantFrom(0, 1, 5, 3_000),
    maxDatabaseMb: fc.constant(0),
  },
  { requiredKeys: ['maxDatabaseMb'] },
)

interface Row extends ModelJob {
  readonly seq: number
}

function rowsOf(jobs: readonly ModelJob[]): Row[] {
  const rows: Row[] = []
  for (const job of jobs) {
    const copies = job.subject === null && !job.hasKey && job.deadline === null ? job.copies : 1
    // A gap of numbers before each, as pruning leaves it.
    const first = (rows.at(-1)?.seq ?? 0) + 3
    for (let copy = 0; copy < copies; copy++) rows.push({ ...job, seq: first + copy })
  }
  // Of a subject at most the latest lives; and whatever waits or runs is left to the tests of the engine.
  const latest = new Map(rows.map(({ subject, seq }) => [subject, seq]))
  return rows.map((row) =>
    row.subject !== null && (latest.get(row.subject) !== row.seq || row.state === 'SUPERSEDED')
      ? { ...row, state: isFinal(row.state) && row.state !== 'SUPERSEDED' ? row.state : 'DONE' }
      : row.state === 'SUPERSEDED'
        ? { ...row, state: 'CANCELLED' }
        : row,
  )
}

const waitsFor: Partial<Record<JobState, string>> = { QUEUED: 'turn', SCHEDULED: 'handler' }

const young: Omit<ModelJob, 'copies'> = {
  state: 'DONE',
  queue: 'default',
  ageMs: 0,
  subject: null,
  isLong: false,
  hasKey: false,
  hasProgress: false,
  attempts: 0,
  deadline: null,
}

/** By number the latest times at which they can have been enqueued, one after another. */
function creationsOf(rows: readonly Row[]): ReadonlyMap<number, number> {
  let latest = now
  return new Map(
    rows.toReversed().map(({ seq, ageMs }) => {
      latest = Math.min(latest, now - ageMs)
      return [seq, latest]
    }),
  )
}

function lay(database: Database, rows: readonly Row[], creations = creationsOf(rows)): void {
  const insert =
    database.prepare(`INSERT INTO jobs (seq, state, job_type, queue, payload, created_at, started_at, finished_at,
    waits_for, subject_key, generation, attempt, policy) VALUES (@seq, @state, 'STEP', @queue, @payload, @createdAt, 0, @finishedAt,
    @waitsFor, @subject, @generation, 2, @policy)`)
  const run = (sql: string, ...values: unknown[]) => database.prepare(sql).run(...values)
  const counts = new Map<string, number>()
  const subjects = new Map<string, { jobs: number; latest: number }>()
  database.transaction(() => {
    for (const row of rows) {
      const { seq, state, queue, subject, deadline } = row
      const generation = subject === null ? null : (subjects.get(subject)?.jobs ?? 0) + 1
      if (subject !== null) subjects.set(subject, { jobs: generation ?? 0, latest: seq })
      insert.run({
        seq,
        state,
        queue,
        subject,
        generation,
        payload: row.isLong ? '' : '1',
        createdAt: creations.get(seq) ?? 0,
        finishedAt: isFinal(state) ? now - row.ageMs : null,
        waitsFor: waitsFor[state] ?? null,
        policy: deadline === null ? null : JSON.stringify({ deadline }),
      })
      if (row.isLong) run('INSERT INTO payloads VALUES (?, ?)', seq, '"long"')
      if (row.hasKey) run('INSERT INTO idempotency_keys VALUES (?, ?)', `key ${seq}`, seq)
      if (row.hasProgress) run('INSERT INTO progress VALUES (?, 0.5, NULL, 0)', seq)
      for (let attempt = 1; attempt <= row.attempts; attempt++)
        run("INSERT INTO attempts VALUES (?, ?, 0, 0, 'THREW', NULL)", seq, attempt)
      if (deadline !== null && (!isFinal(state) || state === 'CANCELLED'))
        run("INSERT INTO expirations VALUES (?, ?, 'deadline')", deadline, seq)
      const counter = JSON.stringify([queue, state])
      counts.set(counter, (counts.get(counter) ?? 0) + 1)
    }
    for (const [key, { jobs, latest }] of subjects)
      run('INSERT INTO subjects VALUES (?, ?, ?, NULL, ?, ?)', key, jobs, latest, latest, jobs)
    for (const [counter, jobs] of counts)
      run('INSERT INTO counters VALUES (?, ?, ?)', ...JSON.parse(counter), jobs)
    const running = rows.filter(({ state }) => state === 'RUNNING').map(({ seq }) => `${seq}`)
    run("INSERT INTO meta VALUES ('last_seq', ?)", rows.at(-1)?.seq ?? 0)
    run("INSERT INTO meta VALUES ('claims', ?)", running.join(','))
  })()
}

/** The numbers that stay. */
function modelOf(rows: readonly Row[], options: MaintenanceOptions): number[] {
  const { retentionMs, maxFinishedJobs = Number.POSITIVE_INFINITY } = readMaintenance(options, {})
  const left = new Map(rows.map((row) => [row.seq, row]))
  const remove = (row: Row): boolean => {
    const others = [...left.values()].filter(({ subject }) => row.subject !== null && subject === row.subject)
    if (others.length > 1 && others.at(-1)?.seq === row.seq) return false
    return left.delete(row.seq)
  }
  const finished = () => [...left.values()].filter(({ state }) => isFinal(state))
  for (const row of finished()) if (isFinal(row.state) && row.ageMs >= retentionMs[row.state]) remove(row)
  let excess = finished().length - (maxFinishedJobs ?? Number.POSITIVE_INFINITY)
  for (const row of finished()) if (excess > 0 && row.ageMs >= 60_000 && remove(row)) excess--
  return [...left.keys()]
}

async function prune(path: string, writer: JobWriter, options: MaintenanceOptions): Promise<DutyReport> {
  const reader = openReader(path)
  try {
    const slices = new Slices(writer.pruning, systemClock)
    const ask = async (_kind: 'prune-jobs', request: PruneRequest): Promise<PruneReply> => {
      let result = notBegun
      while (!result.isDone) {
        writer.begin()
        // Slices as short as they can be.
        result = slices.prune(request, result, 0.001)
        writer.commit(claimsOf(reader))
      }
      return { ...result, pages: writer.pruning.pages, freePages: writer.pruning.freePages }
    }
    const surroundings: DutySurroundings = {
      database: reader,
      databaseId: readDatabaseId(reader),
      settings: readMaintenance(options, {}),
      checksIntegrity: false,
      clock,
      // The boundary: this duty asks for nothing else.
      supervisor: { ask: ask as DutySurroundings['supervisor']['ask'] },
    }
    const duty = new PruneJobs(surroundings)
    while (await duty.runOnce());
    return duty.report()
  } finally {
    reader.close()
  }
}

function claimsOf(database: Database): string {
  return String(database.prepare("SELECT value FROM meta WHERE name = 'claims'").pluck().get())
}

test('exactly what is past its retention goes, with what hangs on it', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(anyJob, { maxLength: 30 }), anyOptions, async (jobs, options) => {
      const path = place.pathOf(`${++run}.db`)
      const database = openWriter({ path, durability: 'process' })
      try {
        const rows = rowsOf(jobs)
        lay(database, rows)
        expect(checkDatabase(path)).toEqual([])
        const expected = modelOf(rows, options)
        const { deletedJobs } = await prune(path, new JobWriter(database), options)
        const stayed = database.prepare<[], number>('SELECT seq FROM jobs ORDER BY seq').pluck().all()
        expect(stayed).toEqual(expected)
        expect(deletedJobs).toBe(rows.length - expected.length)
        expect(checkDatabase(path)).toEqual([])
        // By number more may go the next time: the latest of a subject, whose others have gone since.
        if (options.maxFinishedJobs === undefined)
          expect(await prune(path, new JobWriter(database), options)).toMatchObject({ deletedJobs: 0 })
      } finally {
        database.close()
      }
    }),
    { numRuns: isFull ? 300 : 20, seed },
  )
})

test('what it has looked at are jobs, not their numbers', async () => {
  const path = place.pathOf('few.db')
  const database = openWriter({ path, durability: 'process' })
  try {
    lay(
      database,
      rowsOf([
        { ...young, copies: 1 },
        { ...young, copies: 2 },
      ]),
      new Map(),
    )
    const report = await prune(path, new JobWriter(database), { retentionDays: 1, maxDatabaseMb: 0 })
    expect(report).toMatchObject({ examined: 3, deletedJobs: 0 })
  } finally {
    database.close()
  }
})

test('what was enqueued since is passed over, and what was not is found behind it', async () => {
  const path = place.pathOf('young.db')
  const database = openWriter({ path, durability: 'process' })
  try {
    const old = { ...young, ageMs: 2 * hour }
    const rows = rowsOf([
      { ...old, copies: 3 },
      { ...young, copies: 10_000 },
      { ...old, copies: 2 },
    ])
    // As where the clock was ahead for a while.
    const creations = new Map(rows.map(({ seq, ageMs }) => [seq, now - ageMs]))
    lay(database, rows, creations)
    const report = await prune(path, new JobWriter(database), { retentionDays: 1 / 24, maxDatabaseMb: 0 })
    expect(report).toMatchObject({ deletedJobs: 5 })
    expect(report.examined).toBeLessThan(5_000)
  } finally {
    database.close()
  }
})
