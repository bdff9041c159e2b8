/** What concerns very many jobs at once goes on in slices, and nobody waits for the last of them. */
import { expect, test } from 'vitest'
import { useEngines } from './open-engine.ts'

const engines = useEngines()

test('whoever enqueues does not wait for the end of a long list of cancels, which are answered in their order', async () => {
  const engine = await engines.open({ threads: 1 })
  const blocker = await engine.enqueue('GATE', { gate: 'g' })
  await engines.stage.waits('g')
  const jobs = await engine.enqueueMany(Array.from({ length: 3_000 }, () => ({ type: 'OK' }) as const))
  const ids = jobs.map((job) => job.id)
  await engine.cancel(ids[1_700] ?? '')
  const order: string[] = []
  const cancelling = engine.cancel(ids).then((answers) => {
    order.push('cancelled')
    return answers
  })
  await engine.enqueue('OK').then(() => order.push('enqueued'))
  const answers = await cancelling
  expect(order).toEqual(['enqueued', 'cancelled'])
  expect(answers.length).toBe(3_000)
  expect(answers.flatMap((answer, place) => (answer === 'cancelled' ? [] : [[place, answer]]))).toEqual([
    [1_700, 'finished'],
  ])
  engines.stage.open('g')
  await blocker.result()
})

test('however many jobs run out of time at the same instant, all of them end', async () => {
  const engine = await engines.open({ threads: 1 })
  await engine.enqueue('GATE', { gate: 'g' })
  await engines.stage.waits('g')
  const deadline = Date.now() + 200
  const jobs = await engine.enqueueMany(
    Array.from({ length: 1_000 }, () => ({ type: 'OK', options: { deadline } }) as const),
  )
  await Promise.allSettled(jobs.map((job) => job.result()))
  expect((await engine.stats()).jobs).toMatchObject({ SKIPPED_DEADLINE: 1_000, RUNNING: 1 })
  engines.stage.open('g')
  await engine.idle()
})
