import { existsSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ActorClient } from '../../src/actor/actor-client.ts'
import { ActorHost } from '../../src/actor/actor-host.ts'
import { defaultRestartBudget, type RestartBudget } from '../../src/actor/supervision.ts'
import { systemClock } from '../../src/clock.ts'
import counter, { type CounterMessage, type CounterOptions } from '../fixtures/actors/counter.ts'

const logPath = join(tmpdir(), 'actor-log')
const running: ActorHost[] = []

afterEach(async () => {
  for (const host of running.splice(0)) await host.stop(10_000)
  rmSync(logPath, { force: true })
})

async function startCounter(
  options: CounterOptions = {},
  budget: RestartBudget = defaultRestartBudget,
): Promise<{ host: ActorHost; client: ActorClient; events: string[]; until(text: string): Promise<void> }> {
  const events: string[] = []
  let wake = Promise.withResolvers<void>()
  const add = (text: string): void => {
    events.push(text)
    wake.resolve()
    wake = Promise.withResolvers()
  }
  const host = new ActorHost('counter', counter, options, {
    budget,
    clock: systemClock,
    onRestarted: () => add('restarted'),
    onFailed: (error) => add(`failed ${error.message}`),
    onDied: (error) => add(`died ${error.message}`),
  })
  running.push(host)
  await host.start()
  const client = new ActorClient('counter', host.connect())
  const until = async (text: string): Promise<void> => {
    while (!events.some((event) => event.startsWith(text))) await wake.promise
  }
  return { host, client, events, until }
}

function ask(client: ActorClient, message: CounterMessage): Promise<unknown> {
  return client.ask(message)
}

function newGate(): SharedArrayBuffer {
  return new SharedArrayBuffer(4)
}

function open(gate: SharedArrayBuffer): void {
  const cell = new Int32Array(gate)
  Atomics.store(cell, 0, 1)
  Atomics.notify(cell, 0)
}

function receivesLogged(): string[] {
  if (!existsSync(logPath)) return []
  return readFileSync(logPath, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('receive'))
}

describe('receive', () => {
  test('may answer one message later than others', async () => {
    const { client } = await startCounter()
    const late = ask(client, { kind: 'later' })
    expect(await ask(client, { kind: 'echo', value: 1 })).toBe(1)
    await ask(client, { kind: 'settle', as: 'reply' })
    expect(await late).toBe('late')
    const refused = expect(ask(client, { kind: 'later' })).rejects.toMatchObject({
      code: 'ACTOR_FAILED',
      message: expect.stringContaining('not even late'),
    })
    await ask(client, { kind: 'settle', as: 'refusal' })
    await refused
  })

  test('is told when an asker is gone', async () => {
    const { host, client } = await startCounter()
    const leaving = new ActorClient('counter', host.connect())
    await leaving.ask({ kind: 'echo', value: 1 })
    const gone = ask(client, { kind: 'when-another-is-gone' })
    leaving.close(new Error('left'))
    expect(await gone).toBe('gone')
  })

  test('gets everything that waits, at most 1,000, never concurrently, and answers each by its place', async () => {
    const { client } = await startCounter({ logPath })
    const gate = newGate()
    const first = ask(client, { kind: 'wait', gate })
    while (receivesLogged().length === 0) await new Promise((resolve) => setImmediate(resolve))
    const values = Array.from({ length: 2_500 }, (_, value) => value)
    const replies = values.map((value) => ask(client, { kind: 'echo', value }))
    open(gate)
    expect(await first).toBe('waited')
    expect(await Promise.all(replies)).toEqual(values)
    const sizes = receivesLogged().map((line) => Number(line.split(' ')[1]))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_501)
    expect(sizes.length).toBeLessThan(100)
  })

  test('gets the messages of a sender in their order, whoever else sends', async () => {
    const { host } = await startCounter()
    const clients = [1, 2, 3].map(() => new ActorClient('counter', host.connect()))
    const order: string[] = []
    const asked = clients.flatMap((client, sender) =>
      Array.from({ length: 200 }, async (_, index) => {
        await ask(client, { kind: 'echo', value: index })
        order.push(`${sender}:${index}`)
      }),
    )
    await Promise.all(asked)
    for (const sender of [0, 1, 2]) {
      const indexes = order.filter((entry) => entry.startsWith(`${sender}:`)).map((entry) => entry.slice(2))
      expect(indexes).toEqual(Array.from({ length: 200 }, (_, index) => `${index}`))
    }
    for (const client of clients) client.close(new Error('done'))
  })

  test('that answers one message with an Error refuses that one', async () => {
    const { client } = await startCounter()
    const [before, refused, after] = await Promise.allSettled([
      ask(client, { kind: 'echo', value: 1 }),
      ask(client, { kind: 'refuse' }),
      ask(client, { kind: 'echo', value: 2 }),
    ])
    expect(before).toMatchObject({ value: 1 })
    expect(refused).toMatchObject({
      reason: {
        code: 'ACTOR_FAILED',
        message: expect.stringContaining('refused the message: not this one'),
        details: { cause: { name: 'RangeError' } },
      },
    })
    expect(after).toMatchObject({ value: 2 })
  })

  test.each([
    ['throw', 'receive() of actor counter threw: the resource broke'],
    ['too-few', 'receive() of actor counter gave 1 replies to 2 messages'],
    ['no-array', 'receive() of actor counter gave "oops" to 2 messages'],
  ] as const)('that does %s refuses all that it was given, and serves on', async (kind, text) => {
    const { client, host } = await startCounter()
    const batch = await Promise.allSettled([ask(client, { kind: 'echo', value: 1 }), ask(client, { kind })])
    for (const outcome of batch) {
      expect(outcome).toMatchObject({
        reason: { code: 'ACTOR_FAILED', message: expect.stringContaining(text) },
      })
    }
    expect(await ask(client, { kind: 'echo', value: 3 })).toBe(3)
    expect(host.state).toBe('up')
  })

  test('that answers with what cannot be cloned refuses that message', async () => {
    const { client } = await startCounter()
    await expect(ask(client, { kind: 'uncloneable' })).rejects.toMatchObject({
      code: 'MESSAGE_NOT_CLONEABLE',
    })
    await expect(client.ask(() => {})).rejects.toMatchObject({ code: 'MESSAGE_NOT_CLONEABLE' })
  })
})

describe('the mailbox of an actor', () => {
  test('refuses what is over 10,000 waiting messages, and serves those', async () => {
    const { client, host } = await startCounter({ logPath })
    const other = new ActorClient('counter', host.connect())
    const gate = newGate()
    const first = ask(client, { kind: 'wait', gate })
    while (receivesLogged().length === 0) await new Promise((resolve) => setImmediate(resolve))
    const waiting = Array.from({ length: 9_999 }, () => ask(client, { kind: 'echo', value: 1 }))
    await expect(ask(client, { kind: 'echo', value: 1 })).rejects.toMatchObject({ code: 'OVERLOADED' })
    const others = Array.from({ length: 100 }, () => ask(other, { kind: 'echo', value: 2 }))
    // One of the two senders meets the full mailbox: 10,099 messages wait for 10,000 places.
    const refused = Promise.any(
      [...waiting, ...others].map((asked) =>
        asked.then(
          () => Promise.reject(),
          (error: unknown) => error,
        ),
      ),
    )
    expect(await refused).toMatchObject({
      code: 'OVERLOADED',
      message: expect.stringContaining('The mailbox of actor counter is full'),
    })
    open(gate)
    expect(await first).toBe('waited')
    const outcomes = await Promise.allSettled([...waiting, ...others])
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled').length).toBe(10_000)
  })
})

describe('the death of an actor', () => {
  test('rejects what is pending, and a new port serves after the restart', async () => {
    const { client, host, events, until } = await startCounter()
    const pending = [ask(client, { kind: 'crash' }), ask(client, { kind: 'echo', value: 1 })]
    for (const outcome of await Promise.allSettled(pending)) {
      expect(outcome).toMatchObject({ reason: { code: 'ACTOR_RESTARTED' } })
    }
    await expect(ask(client, { kind: 'echo', value: 2 })).rejects.toMatchObject({ code: 'ACTOR_RESTARTED' })
    await until('restarted')
    expect(events).toEqual(['died crashed on purpose', 'restarted'])
    client.replacePort(host.connect())
    expect(await ask(client, { kind: 'echo', value: 3 })).toBe(3)
  })

  test('a port that is asked for while the actor is down comes closed', async () => {
    const { client, host, until } = await startCounter({}, { restarts: 0, withinMs: 1 })
    await Promise.allSettled([ask(client, { kind: 'exit' })])
    await until('failed')
    expect(host.state).toBe('failed')
    client.replacePort(host.connect())
    await expect(ask(client, { kind: 'echo', value: 1 })).rejects.toMatchObject({ code: 'ACTOR_RESTARTED' })
  })

  test('beyond the budget is told once, with the last error', async () => {
    const { client, host, events, until } = await startCounter({}, { restarts: 1, withinMs: 60_000 })
    await Promise.allSettled([ask(client, { kind: 'crash' })])
    await until('restarted')
    client.replacePort(host.connect())
    await Promise.allSettled([ask(client, { kind: 'crash' })])
    await until('failed')
    expect(events.map((event) => event.split(' ')[0])).toEqual(['died', 'restarted', 'died', 'failed'])
    expect(events.at(-1)).toContain('died again after 1 restarts within 60000 ms: crashed on purpose')
    client.fail(new Error('gone for good'))
    await expect(ask(client, { kind: 'echo', value: 1 })).rejects.toThrow('gone for good')
  })

  test('in the middle of connecting leaves no client waiting', async () => {
    const { host, client, until } = await startCounter()
    const dying = ask(client, { kind: 'exit' })
    const late = Array.from({ length: 20 }, () => new ActorClient('counter', host.connect()))
    const outcomes = await Promise.allSettled([
      dying,
      ...late.map((other) => ask(other, { kind: 'echo', value: 1 })),
    ])
    for (const outcome of outcomes.filter(({ status }) => status === 'rejected')) {
      expect(outcome).toMatchObject({ reason: { code: 'ACTOR_RESTARTED' } })
    }
    await until('restarted')
    for (const other of late) other.close(new Error('done'))
  })
})

describe('the stop of an actor', () => {
  test('serves what was sent before it, then closes the resource', async () => {
    const { client, host } = await startCounter({ logPath })
    const replies = Array.from({ length: 3_000 }, (_, value) => ask(client, { kind: 'echo', value }))
    await replies[0]
    const last = ask(client, { kind: 'echo', value: 'last' })
    await host.stop(10_000)
    expect(await last).toBe('last')
    expect(await Promise.all(replies)).toEqual(Array.from({ length: 3_000 }, (_, value) => value))
    const log = readFileSync(logPath, 'utf8').trimEnd().split('\n')
    expect(log.at(-1)).toBe('stop')
    expect(host.state).toBe('down')
  })

  test('refuses what comes later, while it still serves what came before', async () => {
    const { client, host } = await startCounter()
    const gate = newGate()
    const before = ask(client, { kind: 'wait', gate })
    const stopping = host.stop(60_000)
    const asked: Promise<unknown>[] = []
    let refusal: unknown
    while (refusal === undefined) {
      const echo = ask(client, { kind: 'echo', value: 1 })
      asked.push(echo)
      echo.catch((error: unknown) => {
        refusal ??= error
      })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(refusal).toMatchObject({ code: 'ENGINE_STOPPED' })
    open(gate)
    expect(await before).toBe('waited')
    await stopping
    await Promise.allSettled(asked)
  })

  test('is idempotent, reports a stop hook that throws, and is no failure', async () => {
    const { host, events } = await startCounter({ atStop: 'throw' })
    await Promise.all([host.stop(10_000), host.stop(10_000)])
    expect(events).toEqual(['died cannot close'])
    expect(host.state).toBe('down')
  })

  test('refuses a first start whose actor does not start', async () => {
    await expect(startCounter({ atStart: 'throw' })).rejects.toMatchObject({ code: 'START_FAILED' })
    expect(running.at(-1)?.state).toBe('failed')
  })

  test('a client that was closed stays closed', async () => {
    const { client, host } = await startCounter()
    client.close(new Error('the engine stops'))
    client.fail(new Error('other'))
    client.replacePort(host.connect())
    await expect(ask(client, { kind: 'echo', value: 1 })).rejects.toThrow('the engine stops')
  })

  test('starts and stops in a row leave nothing behind', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { client, host } = await startCounter()
      const asked = ask(client, { kind: 'echo', value: round })
      if (round % 2 === 0) expect(await asked).toBe(round)
      else asked.catch(() => {})
      await host.stop(10_000)
    }
  })
})
