/** How the jobs of one turn are packed into messages; the supervisor is played by the test. */
import { expect, test } from 'vitest'
import { limits } from '../../src/config.ts'
import type { CheckedJob } from '../../src/engine/enqueue-pack.ts'
import { Enqueuer } from '../../src/engine/enqueuer.ts'
import type { EnqueueReply, EnqueueRequest } from '../../src/supervisor/messages.ts'

interface Sent {
  readonly request: EnqueueRequest
  readonly payloads: readonly string[]
  readonly reply: PromiseWithResolvers<EnqueueReply>
}

function open(bounds = { maxPendingJobs: 10_000, maxPendingCharacters: 100_000_000 }) {
  const sent: Sent[] = []
  const send = (request: EnqueueRequest) => {
    const reply = Promise.withResolvers<EnqueueReply>()
    // The boundary: the packer has made the text from an array of texts.
    sent.push({ request, payloads: JSON.parse(request.payloads) as string[], reply })
    return reply.promise
  }
  // Handles are made and not used here.
  const surroundings = { databaseId: 1 } as never
  return { sent, enqueuer: new Enqueuer(send, surroundings, bounds, () => {}) }
}

function job(payload: string, more: Partial<CheckedJob> = {}): CheckedJob {
  return { jobType: 'A', payload, options: undefined, ...more }
}

const endOfTurn = () => new Promise((resolve) => setImmediate(resolve))

test('the jobs of one turn are one message, in order, and those of the next another', async () => {
  const { sent, enqueuer } = open()
  void enqueuer.add(job('1'))
  void enqueuer.add(job('2'))
  await endOfTurn()
  void enqueuer.add(job('3'))
  await endOfTurn()
  expect(sent.map(({ payloads }) => payloads)).toEqual([['1', '2'], ['3']])
  expect(sent.map(({ request }) => request.jobTypes)).toEqual(['A', 'A'])
  expect(sent.map(({ request }) => request.options)).toEqual([undefined, undefined])
})

test('options that come in the middle belong to their own job, and so do types', async () => {
  const { sent, enqueuer } = open()
  void enqueuer.add(job('1'))
  void enqueuer.add(job('2', { options: { priority: 5 }, jobType: 'B' }))
  void enqueuer.add(job('3'))
  await endOfTurn()
  expect(sent[0]?.request).toMatchObject({
    jobs: 3,
    jobTypes: ['A', 'B', 'A'],
    options: [undefined, { priority: 5 }, undefined],
  })
})

test('a long payload among short ones is told by the list of options', async () => {
  const { sent, enqueuer } = open()
  void enqueuer.add(job('1'))
  void enqueuer.add(job('x'.repeat(limits.longPayloadCharacters + 1)))
  await endOfTurn()
  expect(sent[0]?.request.options).toEqual([undefined, undefined])
})

test('a message takes no job beyond its number, and none once it has its characters', async () => {
  const { sent, enqueuer } = open()
  for (let count = 0; count < limits.jobsPerMessage + 1; count++) void enqueuer.add(job('1'))
  await endOfTurn()
  expect(sent.map(({ request }) => request.jobs)).toEqual([limits.jobsPerMessage, 1])
  sent.length = 0
  const half = 'x'.repeat(limits.charactersPerMessage / 2)
  for (let count = 0; count < 5; count++) void enqueuer.add(job(half))
  await endOfTurn()
  expect(sent.map(({ request }) => request.jobs)).toEqual([2, 2, 1])
})

test('a message that fails fails its own jobs only, and what they held is given back', async () => {
  const { sent, enqueuer } = open({ maxPendingJobs: 4, maxPendingCharacters: 1_000 })
  const first = [enqueuer.add(job('1')), enqueuer.add(job('2'))]
  await endOfTurn()
  const second = [enqueuer.add(job('3')), enqueuer.add(job('4'))]
  await endOfTurn()
  await expect(enqueuer.add(job('5'))).rejects.toMatchObject({ code: 'OVERLOADED' })
  let isReady = false
  const ready = enqueuer.ready().then(() => {
    isReady = true
  })
  await endOfTurn()
  expect(isReady).toBe(false)
  sent[0]?.reply.reject(new Error('no'))
  for (const one of first) await expect(one).rejects.toThrow('no')
  await ready
  sent[1]?.reply.resolve({ kind: 'run', firstSeq: 7 } as EnqueueReply)
  expect((await Promise.all(second)).length).toBe(2)
})
