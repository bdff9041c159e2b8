import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('a cancelled loop that looks at nothing is ended after its grace, and what waited behind it runs', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const unresponsive = new Promise((resolve) => engine.events.once('job-unresponsive', resolve))
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  const job = await engine.enqueue('SPINS_FOREVER')
  await stage.began(job.id)
  const behind = await engine.enqueue('CONTEXT')
  expect(await engine.cancel(job.id)).toBe('cancelled')
  await rejectionOf(job.result(), 'JOB_CANCELLED')
  expect(await unresponsive).toMatchObject({ jobId: job.id, jobType: 'SPINS_FOREVER' })
  expect(await died).toMatchObject({ suspects: [job.id] })
  expect(await engine.get(job.id)).toMatchObject({
    state: 'CANCELLED',
    attempt: 1,
    failures: 0,
    failedAttempts: [{ cause: 'CANCELLED' }],
  })
  expect(await behind.result()).toMatchObject({ attempt: 1 })
  expect((await engine.stats()).threads.ready).toBe(1)
})

test('a loop over its time limit is ended, and failed by its policy', async () => {
  const engine = await engines.open({ threads: 1 })
  const job = await engine.enqueue('SPINS_FOREVER', null, { timeoutMs: 20 })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.details).toMatchObject({ cause: 'TIMED_OUT' })
  const details = await engine.get(job.id)
  expect(details).toMatchObject({ state: 'FAILED', attempt: 2, failures: 2 })
  expect(details?.failedAttempts.map(({ cause }) => cause)).toEqual(['TIMED_OUT', 'TIMED_OUT'])
})

test('a newer generation does not wait for an older one that does not listen', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const older = await engine.enqueue('SPINS_FOREVER', null, { subjectKey: 's' })
  await stage.began(older.id)
  const newer = await engine.enqueue('OK', 'new', { subjectKey: 's' })
  expect(await newer.result()).toBe('new')
  await rejectionOf(older.result(), 'SUPERSEDED')
  expect(await engine.get(older.id)).toMatchObject({ state: 'SUPERSEDED', failures: 0, failedAttempts: [] })
})

test('who shares a thread with one that is ended goes back uncharged', async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const innocent = await beginThree(engine)
  const deaf = await engine.enqueue('DEAF_OVERLAP')
  await stage.began(deaf.id)
  await engine.cancel(deaf.id)
  await rejectionOf(deaf.result(), 'JOB_CANCELLED')
  stage.open('g')
  for (const job of innocent) {
    await job.result()
    expect(await engine.get(job.id)).toMatchObject({ state: 'DONE', failures: 0, failedAttempts: [] })
  }
})

test('a thread in native code is written off and replaced', { timeout: 20_000 }, async () => {
  const engine = await engines.open({ threads: 1 })
  const stage = engines.stage
  const job = await engine.enqueue('NATIVE', { seconds: 2 })
  await stage.began(job.id)
  const behind = await engine.enqueue('OK', 1)
  await engine.cancel(job.id)
  await rejectionOf(job.result(), 'JOB_CANCELLED')
  expect(await behind.result()).toBe(1)
  expect((await engine.stats()).threads.ready).toBe(1)
  expect(await engine.get(job.id)).toMatchObject({ state: 'CANCELLED', attempt: 1 })
})

test('a job that fills its heap alone twice is failed as out of memory', async () => {
  const engine = await engines.open({ threads: 1, threadMemoryMb: 64 })
  const job = await engine.enqueue('EXHAUSTS')
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.details).toMatchObject({ cause: 'OUT_OF_MEMORY' })
  const causes = (await engine.get(job.id))?.failedAttempts.map(({ cause }) => cause)
  expect(causes).toEqual(['OUT_OF_MEMORY', 'OUT_OF_MEMORY'])
  expect(await (await engine.enqueue('OK', 1)).result()).toBe(1)
})

test('who calls for the end of its thread is known among those that share it', async () => {
  const engine = await engines.open({ threads: 1 })
  const innocent = await beginThree(engine)
  const culprit = await engine.enqueue('EXIT_OVERLAP')
  expect(await culprit.result()).toBe('alive')
  const causes = (await engine.get(culprit.id))?.failedAttempts.map(({ cause }) => cause)
  expect(causes).toEqual(['EXITED'])
  engines.stage.open('g')
  for (const job of innocent) {
    await job.result()
    expect(await engine.get(job.id)).toMatchObject({ failures: 0, failedAttempts: [] })
  }
})

test('what throws where nobody can catch it fails the job that had begun it, and no other', async () => {
  const engine = await engines.open({ threads: 1 })
  const innocent = await beginThree(engine)
  // Its second attempt needs a thread: the old one gets nothing new, and is replaced when it has nothing left.
  const retried = new Promise((resolve) => engine.events.once('job-retried', resolve))
  const culprit = await engine.enqueue('THROWS_LATER_OVERLAP')
  expect(await retried).toMatchObject({ jobId: culprit.id, cause: 'THREW', error: { message: 'later' } })
  engines.stage.open('g')
  for (const job of innocent) {
    await job.result()
    expect(await engine.get(job.id)).toMatchObject({ attempt: 1, failures: 0 })
  }
  expect(await culprit.result()).toBe('alive')
})

test('what throws after its job has ended is reported, and harms nobody', async () => {
  const engine = await engines.open({ threads: 1 })
  const late = new Promise((resolve) => engine.events.once('job-threw-late', resolve))
  const bomber = await engine.enqueue('LEAVES_BOMB')
  await bomber.result()
  // An idle thread runs nothing: the bomb goes off while the next job waits.
  const next = await engine.enqueue('GATE', { gate: 'g' })
  expect(await late).toMatchObject({ jobId: bomber.id, jobType: 'LEAVES_BOMB', error: { message: 'bomb' } })
  engines.stage.open('g')
  await next.result()
  expect(await engine.get(next.id)).toMatchObject({ attempt: 1, failures: 0 })
  expect(await engine.get(bomber.id)).toMatchObject({ state: 'DONE' })
  expect(await (await engine.enqueue('OK', 2)).result()).toBe(2)
})

test('a type whose handlers were quiet for long is found out in the second thread that dies of it', async () => {
  const engine = await engines.open({ threads: 1 })
  await engine.enqueueMany(Array.from({ length: 400 }, () => ({ type: 'MAYBE_BOMB', payload: {} }) as const))
  await engine.idle()
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  const first = await engine.enqueue('MAYBE_BOMB', { bomb: true })
  await first.result()
  // The thread has to run something for the bomb to go off.
  const innocent = await engine.enqueue('LISTENS_SHORTLY')
  expect(await died).toMatchObject({ cause: 'THREAD_DIED', error: { message: 'bomb' } })
  expect(await innocent.result()).toBe('alive')

  const late = new Promise((resolve) => engine.events.once('job-threw-late', resolve))
  const second = await engine.enqueue('MAYBE_BOMB', { bomb: true })
  await second.result()
  const next = await engine.enqueue('GATE', { gate: 'g' })
  expect(await late).toMatchObject({ jobId: second.id })
  engines.stage.open('g')
  await next.result()
  for (const job of [first, second]) expect(await engine.get(job.id)).toMatchObject({ state: 'DONE' })
})

test.each([
  ['after so many jobs', { recycleAfterJobs: 10 }, 0],
  ['above so much memory', { recycleAboveMb: 60 }, 10],
])('threads are replaced %s, without a word', async (_, options, mb) => {
  const engine = await engines.open({ threads: 2, ...options })
  const deaths: unknown[] = []
  engine.events.on('thread-died', (event) => deaths.push(event))
  const threads = new Set<unknown>()
  for (let round = 0; round < 40; round++) threads.add(await (await engine.enqueue('LEAKS', { mb })).result())
  expect(threads.size).toBeGreaterThan(2)
  expect(threads.size).toBeLessThan(20)
  expect(deaths).toEqual([])
  expect((await engine.stats()).jobs).toMatchObject({ DONE: 40 })
})

/** Three handlers that wait in the only thread for the gate `g`, and whose overlap leaves room for more. */
async function beginThree(engine: Awaited<ReturnType<typeof engines.open>>) {
  const jobs = await engine.enqueueMany(
    Array.from({ length: 3 }, () => ({ type: 'GATE_OVERLAP', payload: { gate: 'g' } }) as const),
  )
  await engines.stage.waits('g', 3)
  return jobs
}
