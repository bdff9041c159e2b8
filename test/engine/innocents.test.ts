/** Goal: whoever ends a thread, a job that merely runs in it is never charged with that. */
import { expect, test } from 'vitest'
import { openEnding } from './open-ending.ts'
import { rejectionOf, useEngines } from './open-engine.ts'

const engines = useEngines()

test('nobody is charged for a handler that gives way while its thread is being ended', async () => {
  const engine = await openEnding(engines)
  const innocent = await engine.enqueue('WAITS', { gate: 'g' })
  await engines.stage.waits('g')
  const blamed = new Promise<string>((resolve) =>
    engine.events.on('thread-died', ({ suspects }) => {
      if (suspects.includes(innocent.id)) resolve('blamed')
    }),
  )
  // The look that ends the thread comes 40 ms after the one that fires the signal, by a timer that is never on the spot:
  // one of three or four of these gives way between the two steps of that look.
  for (let forMs = 39.5; forMs < 42; forMs += 0.2) {
    const late = await engine.enqueue('GIVES_WAY_LATE', { forMs })
    expect(await Promise.race([blamed, late.result().catch(() => 'ended')])).not.toBe('blamed')
  }
  engines.stage.open('g')
  await innocent.result()
  expect(await engine.get(innocent.id)).toMatchObject({ state: 'DONE', failures: 0, failedAttempts: [] })
})

test.each([
  'called',
  'imported',
  'held',
])('an exit (%s) that a finished job has left behind is told of that job, and charged to nobody', async (exit) => {
  const engine = await openEnding(engines)
  const late = new Promise((resolve) => engine.events.once('job-threw-late', resolve))
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  const culprit = await engine.enqueue('LEAVES_EXIT', { gate: 'exit', exit })
  expect(await culprit.result()).toBe('left')
  const innocent = await engine.enqueue('WAITS', { gate: 'g' })
  await engines.stage.waits('g')
  engines.stage.open('exit')
  expect(await late).toMatchObject({
    jobId: culprit.id,
    jobType: 'LEAVES_EXIT',
    throws: 1,
    error: { name: 'Exited', message: 'process.exit(3) was called after the job had ended' },
  })
  expect(await died).toMatchObject({ cause: 'EXITED', suspects: [] })
  engines.stage.open('g')
  await innocent.result()
  expect(await engine.get(innocent.id)).toMatchObject({ state: 'DONE', attempt: 2, failedAttempts: [] })
  expect(await engine.get(culprit.id)).toMatchObject({ state: 'DONE', attempt: 1 })
})

test.each([
  ['throws', 'throw', 'THREAD_DIED'],
  ['calls for an exit', 'exit', 'EXITED'],
] as const)('nobody is charged for what a trusted type has left behind and %s', async (_, ending, cause) => {
  const engine = await openEnding(engines)
  const trusted = { type: 'TRUSTED', payload: {} } as const
  await engine.enqueueMany(Array.from({ length: 400 }, () => trusted))
  await engine.idle()
  await (await engine.enqueue('TRUSTED', { gate: 'first', ending })).result()
  const died = new Promise((resolve) => engine.events.once('thread-died', resolve))
  const innocent = await engine.enqueue('WAITS', { gate: 'g' })
  await engines.stage.waits('g')
  engines.stage.open('first')
  // It may have been that one: it runs alone next, and is not charged.
  expect(await died).toMatchObject({ cause, suspects: [innocent.id] })
  await engines.stage.waits('g', 2)
  engines.stage.open('g')
  await innocent.result()
  expect(await engine.get(innocent.id)).toMatchObject({ state: 'DONE', attempt: 2, failedAttempts: [] })

  // From then on it is known whose it is, however many were quiet before.
  await engine.enqueueMany(Array.from({ length: 400 }, () => trusted))
  await engine.idle()
  const late = new Promise((resolve) => engine.events.once('job-threw-late', resolve))
  const second = await engine.enqueue('TRUSTED', { gate: 'second', ending })
  await second.result()
  const other = await engine.enqueue('WAITS', { gate: 'h' })
  await engines.stage.waits('h')
  engines.stage.open('second')
  expect(await late).toMatchObject({ jobId: second.id })
  engines.stage.open('h')
  await other.result()
  expect(await engine.get(other.id)).toMatchObject({ state: 'DONE', failedAttempts: [] })
})

test('nobody is charged for what is of no job, unless it dies of that alone again', async () => {
  const engine = await openEnding(engines)
  const suspected: (readonly string[])[] = []
  engine.events.on('thread-died', ({ suspects }) => suspected.push(suspects))
  engines.stage.open('g')
  const innocent = await engine.enqueue('LOSES_CONNECTION', { gate: 'g', times: 1 })
  expect(await innocent.result()).toBe('alive')
  expect(await engine.get(innocent.id)).toMatchObject({ state: 'DONE', attempt: 2, failedAttempts: [] })
  const culprit = await engine.enqueue('LOSES_CONNECTION', { gate: 'g', times: 9 })
  await rejectionOf(culprit.result(), 'JOB_FAILED')
  const { attempt, failedAttempts } = (await engine.get(culprit.id)) ?? {}
  expect([attempt, failedAttempts?.map(({ cause }) => cause)]).toEqual([3, ['THREAD_DIED', 'THREAD_DIED']])
  expect(suspected).toEqual([innocent, culprit, culprit, culprit].map(({ id }) => [id]))
})
