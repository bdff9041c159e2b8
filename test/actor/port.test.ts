import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { type Answer, AskPort, type Incoming, servePort } from '../../src/actor/port.ts'
import { systemClock } from '../../src/clock.ts'
import { engineError, SemanticaError } from '../../src/errors.ts'

type Sums = {
  readonly add: {
    readonly request: { readonly left: number; readonly right: number }
    readonly reply: number
  }
  readonly name: { readonly request: undefined; readonly reply: string }
  readonly keep: { readonly request: unknown; readonly reply: unknown }
}

const opened: MessagePort[] = []
afterEach(() => {
  for (const port of opened.splice(0)) port.close()
})

function channel(): { readonly near: MessagePort; readonly far: MessagePort } {
  const { port1: near, port2: far } = new MessageChannel()
  opened.push(near, far)
  return { near, far }
}

/** A pair of which the serving side adds, and keeps the answers of `keep` for the test. */
function startSums(maxPending = 100) {
  const { near, far } = channel()
  const kept: Answer<unknown>[] = []
  const told = { near: [] as unknown[], far: [] as unknown[] }
  const server = servePort<Sums>(
    far,
    (incoming: Incoming<Sums>) => {
      switch (incoming.kind) {
        case 'add':
          incoming.answer.reply(incoming.request.left + incoming.request.right)
          return
        case 'name':
          incoming.answer.refuse(
            engineError('ACTOR_UNKNOWN', { found: 'No name', action: 'None.', details: { tried: 1 } }),
          )
          return
        case 'keep':
          kept.push(incoming.answer)
          return
      }
    },
    (message) => told.far.push(message),
  )
  const asks = new AskPort<Sums>(near, { maxPending, onTell: (message) => told.near.push(message) })
  return { asks, server, kept, told, near, far }
}

describe('requests and replies', () => {
  test('each request gets its own reply, whatever the order of answers', async () => {
    const { asks, kept } = startSums()
    const late = asks.ask('keep', 'late')
    const early = asks.ask('keep', 'early')
    expect(await asks.ask('add', { left: 2, right: 3 })).toBe(5)
    expect(asks.pending).toBe(2)
    kept[1]?.reply('first')
    kept[0]?.reply('second')
    expect(await Promise.all([late, early])).toEqual(['second', 'first'])
    expect(asks.pending).toBe(0)
  })

  test('many replies at once leave everything else its turn, and keep their order to the end', async () => {
    const { asks, kept, server } = startSums()
    const seen: unknown[] = []
    const isReply = (one: unknown) => typeof one === 'number'
    const replies = Array.from({ length: 50 }, async () => {
      const reply = await asks.ask('keep', null)
      if (seen.length === 0) setImmediate(() => seen.push('something else'))
      // What its receiver does keeps the thread busy.
      const endMs = systemClock.monotonicMs() + 1
      while (systemClock.monotonicMs() < endMs);
      seen.push(reply)
    })
    await asks.ask('add', { left: 1, right: 1 })
    for (const [index, answer] of kept.entries()) answer.reply(index)
    server.close()
    await Promise.all(replies)
    expect(seen.indexOf('something else')).toBeGreaterThan(0)
    expect(seen.filter(isReply)).toEqual(kept.map((_, index) => index))
  })

  test('what is held back takes few turns', async () => {
    const { asks, kept } = startSums(2_000)
    let isWaiting = true
    let turns = 0
    const count = () => {
      turns++
      if (isWaiting) setImmediate(count)
    }
    const replies = Array.from({ length: 1_000 }, async () => {
      await asks.ask('keep', null)
      if (turns > 0) return
      count()
      const endMs = systemClock.monotonicMs() + 10
      while (systemClock.monotonicMs() < endMs);
    })
    await asks.ask('add', { left: 1, right: 1 })
    for (const answer of kept) answer.reply(null)
    await Promise.all(replies)
    isWaiting = false
    expect(turns).toBeLessThan(200)
  })

  test('requests and tells of one port arrive in the order in which they were sent', async () => {
    const { near, far } = channel()
    const seen: unknown[] = []
    servePort<Sums>(
      far,
      ({ kind, request, answer }) => {
        seen.push(request)
        if (kind === 'keep') answer.reply(undefined)
      },
      (message) => seen.push(message),
    )
    const asks = new AskPort<Sums>(near, { maxPending: 2_000 })
    const sent = Array.from({ length: 1_500 }, (_, index) => index)
    await Promise.all(sent.map((index) => (index % 3 === 0 ? asks.tell(index) : asks.ask('keep', index))))
    expect(seen).toEqual(sent)
  })

  test('a refusal keeps the code, the text and the details of its error', async () => {
    const { asks } = startSums()
    const error = await asks.ask('name', undefined).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SemanticaError)
    expect(error).toMatchObject({ code: 'ACTOR_UNKNOWN', message: 'No name. None.', details: { tried: 1 } })
  })

  test('a refusal whose details cannot be cloned arrives without them', async () => {
    const { asks, kept } = startSums()
    const asked = asks.ask('keep', 1)
    await asks.ask('add', { left: 0, right: 0 })
    kept[0]?.refuse(engineError('JOB_UNKNOWN', { found: 'x', action: 'y', details: { callback: () => {} } }))
    await expect(asked).rejects.toMatchObject({ code: 'JOB_UNKNOWN', details: {} })
  })

  test('only the first answer counts', async () => {
    const { asks, kept } = startSums()
    const asked = asks.ask('keep', 1)
    await asks.ask('add', { left: 0, right: 0 })
    kept[0]?.reply('one')
    kept[0]?.reply('two')
    kept[0]?.refuse(new Error('three'))
    expect(await asked).toBe('one')
    expect(await asks.ask('add', { left: 1, right: 1 })).toBe(2)
  })

  test('tells go both ways, and transfer what they are given', async () => {
    const { asks, server, told } = startSums()
    const buffer = new ArrayBuffer(8)
    server.tell({ hello: 'near' })
    asks.tell(buffer, [buffer])
    await asks.ask('add', { left: 0, right: 0 })
    expect(buffer.byteLength).toBe(0)
    expect(told).toEqual({ near: [{ hello: 'near' }], far: [new ArrayBuffer(8)] })
  })

  test('what others send through the same port is ignored', async () => {
    const { asks, near, far } = startSums()
    for (const foreign of [undefined, null, 'text', 7, {}, { kind: 3 }, { kind: 'hello' }]) {
      near.postMessage(foreign)
      far.postMessage(foreign)
    }
    expect(await asks.ask('add', { left: 1, right: 1 })).toBe(2)
  })
})

describe('what cannot be sent', () => {
  test('refuses that one request and no other', async () => {
    const { asks } = startSums()
    const bad = asks.ask('keep', () => {})
    const good = asks.ask('add', { left: 1, right: 2 })
    await expect(bad).rejects.toMatchObject({ code: 'MESSAGE_NOT_CLONEABLE' })
    await expect(bad).rejects.toThrow('A request cannot be sent to another thread: () => {}')
    expect(await good).toBe(3)
    expect(asks.pending).toBe(0)
  })

  test('as a reply refuses its request', async () => {
    const { asks, kept } = startSums()
    const asked = asks.ask('keep', 1)
    await asks.ask('add', { left: 0, right: 0 })
    kept[0]?.reply({ inner: Symbol('no') })
    await expect(asked).rejects.toMatchObject({ code: 'MESSAGE_NOT_CLONEABLE' })
  })

  test('as a tell is thrown at its sender, who has no promise to reject', () => {
    const { asks, server } = startSums()
    expect(() => asks.tell(() => {})).toThrow('A message cannot be sent')
    expect(() => server.tell(() => {})).toThrow('A message cannot be sent')
  })
})

describe('the bound', () => {
  test('refuses what is over maxPending as OVERLOADED, and takes again after a reply', async () => {
    const { asks, kept } = startSums(2)
    const first = asks.ask('keep', 1)
    const second = asks.ask('keep', 2)
    await expect(asks.ask('keep', 3)).rejects.toMatchObject({ code: 'OVERLOADED', retryable: true })
    expect(asks.pending).toBe(2)
    await arrivalOf(kept, 2)
    kept[0]?.reply('one')
    expect(await first).toBe('one')
    expect(await asks.ask('add', { left: 1, right: 1 })).toBe(2)
    kept[1]?.reply('two')
    expect(await second).toBe('two')
  })
})

describe('the end of a port', () => {
  test('close rejects what is pending and what comes with its reason; later calls change nothing', async () => {
    const { asks } = startSums()
    const pending = asks.ask('keep', 1)
    asks.close(new Error('we stop'))
    asks.close(new Error('again'))
    await expect(pending).rejects.toThrow('we stop')
    await expect(asks.ask('add', { left: 1, right: 1 })).rejects.toThrow('we stop')
    expect(asks.pending).toBe(0)
    asks.tell('into the void')
  })

  test('a close of the serving side rejects what is pending as ACTOR_RESTARTED, after the replies it sent', async () => {
    const { asks, kept, server } = startSums()
    const answered = asks.ask('keep', 1)
    const pending = asks.ask('keep', 2)
    await arrivalOf(kept, 2)
    kept[0]?.reply('last words')
    server.close()
    server.close()
    kept[1]?.reply('too late')
    expect(await answered).toBe('last words')
    await expect(pending).rejects.toMatchObject({ code: 'ACTOR_RESTARTED', retryable: true })
    await expect(asks.ask('keep', 3)).rejects.toMatchObject({ code: 'ACTOR_RESTARTED' })
  })

  test('the death of the thread on the other side does the same', async () => {
    const { near, far } = channel()
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads')
       workerData.on('message', () => workerData.postMessage({ kind: 'port-tell', message: 'got it' }))`,
      { eval: true, workerData: far, transferList: [far] },
    )
    const arrived = Promise.withResolvers<unknown>()
    const asks = new AskPort<Sums>(near, { maxPending: 10, onTell: arrived.resolve, name: 'The test thread' })
    const pending = asks.ask('keep', 1)
    pending.catch(() => {})
    expect(await arrived.promise).toBe('got it')
    await worker.terminate()
    await expect(pending).rejects.toThrow('The test thread ended')
  })

  test('a port that was closed on its way to another thread rejects at once', async () => {
    const { near, far } = channel()
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads')
       parentPort.on('message', async ({ near, url }) => {
         await new Promise((resolve) => near.once('close', resolve))
         const { AskPort } = await import(url)
         const error = await new AskPort(near, { maxPending: 1 }).ask('keep', 1).catch((reason) => reason)
         parentPort.postMessage(error.code)
       })`,
      { eval: true },
    )
    const answer = new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    far.close()
    worker.postMessage({ near, url: new URL('../../src/actor/port.ts', import.meta.url).href }, [near])
    expect(await answer).toBe('ACTOR_RESTARTED')
    await worker.terminate()
  })

  test('a port keeps the process alive while a request is pending, and only then', async () => {
    const { asks, near, kept } = startSums()
    expect(near.hasRef()).toBe(false)
    const asked = asks.ask('keep', 1)
    const other = asks.ask('keep', 2)
    expect(near.hasRef()).toBe(true)
    await arrivalOf(kept, 2)
    kept[0]?.reply(1)
    await asked
    expect(near.hasRef()).toBe(true)
    kept[1]?.reply(2)
    await other
    expect(near.hasRef()).toBe(false)
  })
})

/** Resolves when `count` requests are in `kept`; each turn of the event loop delivers what was sent. */
async function arrivalOf(kept: readonly unknown[], count: number): Promise<void> {
  while (kept.length < count) await new Promise((resolve) => setImmediate(resolve))
}
