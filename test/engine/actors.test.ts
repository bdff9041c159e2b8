import { expect, test } from 'vitest'
import counter from '../fixtures/actors/counter.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()
const actors = { counter: { module: counter, options: {} } }
const ask = (message: object) => ({ actor: 'counter', message })

test('handlers and the host reach an actor', async () => {
  const engine = await engines.open({ actors })
  const jobs = await engine.enqueueMany(
    Array.from(
      { length: 200 },
      (_, n) => ({ type: 'ASK', payload: ask({ kind: 'echo', value: n }) }) as const,
    ),
  )
  const results = await Promise.all(jobs.map((job) => job.result()))
  expect(results).toEqual(jobs.map((_, reply) => ({ reply, attempt: 1 })))
  expect(await engine.actor('counter').ask({ kind: 'echo', value: 'host' })).toBe('host')
})

test('one thread waits for an actor with several handlers at a time', async () => {
  const engine = await engines.open({ actors, threads: 1 })
  const stage = engines.stage
  const gate = new SharedArrayBuffer(4)
  // The actor answers nobody until its gate is open, and the handlers of one thread overlap meanwhile.
  const held = engine.actor('counter').ask({ kind: 'wait', gate })
  const jobs = await engine.enqueueMany(
    Array.from(
      { length: 4 },
      (_, value) => ({ type: 'ASK', payload: ask({ kind: 'echo', value }) }) as const,
    ),
  )
  for (const job of jobs) await stage.began(job.id)
  Atomics.store(new Int32Array(gate), 0, 1)
  Atomics.notify(new Int32Array(gate), 0)
  await held
  expect(await Promise.all(jobs.map((job) => job.result()))).toHaveLength(4)
})

test('what an actor refuses fails the attempt', async () => {
  const engine = await engines.open({ actors })
  const job = await engine.enqueue('ASK', ask({ kind: 'refuse' }), { retry: { maxAttempts: 1 } })
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.cause).toMatchObject({ code: 'ACTOR_FAILED' })
  await rejectionOf(engine.actor('counter').ask({ kind: 'refuse' }), 'ACTOR_FAILED')
})

test('an actor that nobody gave is unknown', async () => {
  const engine = await engines.open({ actors })
  expect(() => engine.actor('nobody')).toThrow(expect.objectContaining({ code: 'ACTOR_UNKNOWN' }))
  const job = await engine.enqueue('ASK', { actor: 'nobody' }, { retry: { maxAttempts: 1 } })
  expect((await rejectionOf(job.result(), 'JOB_FAILED')).cause).toMatchObject({ code: 'ACTOR_UNKNOWN' })
})

test('a job whose actor dies while it is asked is put back uncharged, and done after the restart', async () => {
  const engine = await engines.open({ actors })
  const stage = engines.stage
  const died: { willRestart: boolean }[] = []
  engine.events.on('actor-died', (event) => died.push(event))
  const gate = new SharedArrayBuffer(4)
  const held = rejectionOf(engine.actor('counter').ask({ kind: 'wait', gate }), 'ACTOR_RESTARTED')
  const jobs = await engine.enqueueMany(
    Array.from(
      { length: 3 },
      (_, value) => ({ type: 'ASK', payload: ask({ kind: 'echo', value }) }) as const,
    ),
  )
  for (const job of jobs) await stage.began(job.id)
  const crash = rejectionOf(engine.actor('counter').ask({ kind: 'exit' }), 'ACTOR_RESTARTED')
  Atomics.store(new Int32Array(gate), 0, 1)
  Atomics.notify(new Int32Array(gate), 0)
  await Promise.all([crash, held.catch(() => {})])
  for (const [reply, job] of jobs.entries()) {
    expect(await job.result()).toMatchObject({ reply })
    const details = await engine.get(job.id)
    expect(details).toMatchObject({ state: 'DONE', failures: 0 })
    expect(details?.failedAttempts).toEqual([])
  }
  expect(died).toMatchObject([{ willRestart: true }])
  expect(await engine.actor('counter').ask({ kind: 'echo', value: 1 })).toBe(1)
})

test('a job that kills its actor each time is charged from the third time on, and others have it again', async () => {
  const engine = await engines.open({ actors, threads: 1 })
  const deaths: boolean[] = []
  engine.events.on('actor-died', ({ willRestart }) => deaths.push(willRestart))
  const killer = await engine.enqueue('ASK', ask({ kind: 'exit' }), { retry: { maxAttempts: 1 } })
  expect((await rejectionOf(killer.result(), 'JOB_FAILED')).cause).toMatchObject({ code: 'ACTOR_RESTARTED' })
  const details = await engine.get(killer.id)
  expect(details).toMatchObject({ failures: 1, failedAttempts: [{ cause: 'THREW' }] })
  const other = await engine.enqueue('ASK', ask({ kind: 'echo', value: 'here' }), {
    retry: { maxAttempts: 1 },
  })
  expect(await other.result()).toMatchObject({ reply: 'here' })
  expect(deaths).toEqual([true, true, true])
})

test('a thread that is new after a restart reaches the actor too', async () => {
  const engine = await engines.open({ actors, threads: 1 })
  // The thread and the actor die together: the new thread is greeted while the actor may be down or up.
  const both = [
    rejectionOf(engine.actor('counter').ask({ kind: 'exit' }), 'ACTOR_RESTARTED'),
    (await engine.enqueue('EXIT', { times: 1 })).result(),
  ]
  await Promise.all(both)
  const job = await engine.enqueue('ASK', ask({ kind: 'echo', value: 'here' }))
  expect(await job.result()).toMatchObject({ reply: 'here' })
})

test('over its budget an actor is given up, for old threads and new ones', { timeout: 30_000 }, async () => {
  const engine = await engines.open({ actors, threads: 1 })
  const deaths: boolean[] = []
  engine.events.on('actor-died', ({ willRestart }) => deaths.push(willRestart))
  for (;;) {
    const answer = await engine
      .actor('counter')
      .ask({ kind: 'exit' })
      .catch((error: { code: string }) => error.code)
    if (answer === 'ACTOR_FAILED') break
    expect(answer).toBe('ACTOR_RESTARTED')
    // While the actor is down the answer comes without any wait.
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(deaths).toEqual([true, true, true, true, true, false])
  const once = { retry: { maxAttempts: 1 } }
  const old = await engine.enqueue('ASK', ask({ kind: 'echo', value: 1 }), once)
  expect((await rejectionOf(old.result(), 'JOB_FAILED')).cause).toMatchObject({ code: 'ACTOR_FAILED' })
  await (await engine.enqueue('EXIT', { times: 1 })).result()
  const fresh = await engine.enqueue('ASK', ask({ kind: 'echo', value: 1 }), once)
  expect((await rejectionOf(fresh.result(), 'JOB_FAILED')).cause).toMatchObject({ code: 'ACTOR_FAILED' })
})

test('after the stop an actor answers with the end of the engine', async () => {
  const engine = await engines.open({ actors })
  const actor = engine.actor('counter')
  await engine.stop()
  await rejectionOf(actor.ask({ kind: 'echo', value: 1 }), 'ENGINE_STOPPED')
})
