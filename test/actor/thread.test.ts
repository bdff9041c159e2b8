import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { MessagePort } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { ActorClient } from '../../src/actor/actor-client.ts'
import type { ActorData } from '../../src/actor/messages.ts'
import { AskPort } from '../../src/actor/port.ts'
import { ActorThread, startOfThread, type ThreadSpec, threadEntryUrl } from '../../src/actor/thread.ts'
import { SemanticaError } from '../../src/errors.ts'
import type { CounterOptions } from '../fixtures/actors/counter.ts'
import { connectTo } from './connect.ts'

const run = promisify(execFile)
const logPath = join(tmpdir(), 'thread-log')
afterEach(() => rmSync(logPath, { force: true }))

function specOf(options: CounterOptions, module = 'counter'): ThreadSpec {
  const data: ActorData = {
    name: 'counter',
    moduleUrl: new URL(`../fixtures/actors/${module}.ts`, import.meta.url).href,
    options,
    mailboxCapacity: 100,
  }
  return { name: 'actor counter', entry: 'actor', data, readyTimeoutMs: 30_000 }
}

function readLog(): string[] {
  return existsSync(logPath) ? readFileSync(logPath, 'utf8').trimEnd().split('\n') : []
}

describe('the start of a thread', () => {
  test('resolves when the thread said that it is ready', async () => {
    const thread = await ActorThread.start(specOf({ logPath }))
    expect(readLog()).toEqual(['start'])
    expect(thread.name).toBe('actor counter')
    expect(thread.threadId).toBeGreaterThan(0)
    expect(await thread.stop(10_000)).toBe('stopped')
    expect(await thread.exited).toEqual({ kind: 'stopped' })
    expect(readLog()).toEqual(['start', 'stop'])
  })

  test('rejects with the error that the thread reported', async () => {
    const error = await rejectionOf(specOf({ atStart: 'throw' }))
    expect(error).toBeInstanceOf(SemanticaError)
    expect(error).toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('start() of actor counter threw: no resource today'),
      details: { cause: { name: 'TypeError' } },
    })
  })

  test('passes on a code of ours as it is', async () => {
    expect(await rejectionOf(specOf({ atStart: 'throw-coded' }))).toMatchObject({
      code: 'DISK_FULL',
      message: 'no space',
    })
  })

  test('rejects when the thread exits early', async () => {
    expect(await rejectionOf(specOf({ atStart: 'exit' }))).toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('ended with exit code 3 before it was ready'),
    })
  })

  test('resolves when the thread was ready in time, though its owner was too busy to hear it', async () => {
    const timeoutMs = 500
    const starting = ActorThread.start({ ...specOf({ logPath }), readyTimeoutMs: timeoutMs })
    const endMs = performance.now() + timeoutMs
    const nobody = new Int32Array(new SharedArrayBuffer(4))
    while (readLog().length === 0 || performance.now() < endMs) Atomics.wait(nobody, 0, 0, 5)
    Atomics.wait(nobody, 0, 0, 250)
    const thread = await starting
    expect(await thread.stop(10_000)).toBe('stopped')
  })

  test('rejects when the thread is not ready in time, and ends it', async () => {
    expect(await rejectionOf({ ...specOf({ atStart: 'hang' }), readyTimeoutMs: 400 })).toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('was not ready after 400 ms'),
    })
  })

  test('can be aborted', async () => {
    const abort = new AbortController()
    const starting = ActorThread.start(specOf({ atStart: 'hang' }), abort.signal)
    abort.abort()
    await expect(starting).rejects.toMatchObject({ code: 'START_FAILED' })
  })

  test('rejects for data that cannot be cloned', async () => {
    const spec = { ...specOf({}), data: { callback: () => {} } }
    expect(await rejectionOf(spec)).toMatchObject({
      code: 'MESSAGE_NOT_CLONEABLE',
      message: expect.stringContaining('The data for thread actor counter cannot be sent'),
    })
  })

  test.each([
    ['does-not-load', 'this module throws when it is loaded'],
    ['not-an-actor', 'The default export of the actor module'],
    ['nowhere', 'cannot be loaded: Cannot find module'],
  ])('rejects for the module %s', async (module, text) => {
    expect(await rejectionOf(specOf({}, module))).toMatchObject({
      code: 'JOBS_MODULE_INVALID',
      message: expect.stringContaining(text),
    })
  })
})

describe('the end of a thread', () => {
  test('stop is asked once, whoever calls it how often', async () => {
    const thread = await ActorThread.start(specOf({ logPath }))
    const stops = await Promise.all([thread.stop(10_000), thread.stop(0), thread.stop(10_000)])
    expect(stops).toEqual(['stopped', 'stopped', 'stopped'])
    expect(readLog()).toEqual(['start', 'stop'])
    expect(await thread.stop(0)).toBe('stopped')
    await thread.terminate()
  })

  test('a stop hook that hangs is ended by force after the grace', async () => {
    const thread = await ActorThread.start(specOf({ logPath, atStop: 'hang' }))
    expect(await thread.stop(200)).toBe('ended')
    expect(await thread.exited).toEqual({ kind: 'stopped' })
    expect(readLog()).toEqual(['start', 'stop'])
  })

  test('a loop that never yields is ended by force after the grace', async () => {
    const thread = await ActorThread.start(specOf({ logPath }))
    const client = new ActorClient('counter', connectTo(thread))
    const echoed = client.ask({ kind: 'echo', value: 1 })
    expect(await echoed).toBe(1)
    const spinning = client.ask({ kind: 'spin' })
    spinning.catch(() => {})
    expect(await thread.stop(200)).toBe('ended')
    await expect(spinning).rejects.toMatchObject({ code: 'ACTOR_RESTARTED' })
  })

  test('a timer that the module left behind does not keep the thread', async () => {
    const thread = await ActorThread.start(specOf({ atStop: 'leave-timer' }))
    expect(await thread.stop(30_000)).toBe('stopped')
  })

  test('a stop hook that throws makes it a death', async () => {
    const thread = await ActorThread.start(specOf({ atStop: 'throw' }))
    expect(await thread.stop(10_000)).toBe('stopped')
    expect(await thread.exited).toMatchObject({ kind: 'died', error: { message: 'cannot close' } })
  })

  test('an uncaught exception is a death, with its error', async () => {
    const thread = await ActorThread.start(specOf({}))
    const pending = new ActorClient('counter', connectTo(thread)).ask({ kind: 'crash' })
    await expect(pending).rejects.toMatchObject({ code: 'ACTOR_RESTARTED' })
    expect(await thread.exited).toMatchObject({ kind: 'died', error: { message: 'crashed on purpose' } })
    expect(await thread.stop(0)).toBe('stopped')
  })

  test('an uncaught error with a code of ours has its class again', async () => {
    const thread = await ActorThread.start(specOf({}))
    await Promise.allSettled([new ActorClient('counter', connectTo(thread)).ask({ kind: 'crash-coded' })])
    const exit = await thread.exited
    expect(exit).toMatchObject({ kind: 'died', error: { code: 'DISK_FULL', retryable: true } })
  })

  test('last words count, though the owner was busy and hears of the exit at the same time', async () => {
    const starting = ActorThread.start(specOf({ logPath, atStart: 'throw' }))
    starting.catch(() => {})
    // Blocks this thread, as a long commit would, until the other has ended: its file is written, then it exits.
    const nobody = new Int32Array(new SharedArrayBuffer(4))
    while (readLog().length === 0) Atomics.wait(nobody, 0, 0, 5)
    Atomics.wait(nobody, 0, 0, 250)
    await expect(starting).rejects.toThrow('no resource today')
  })

  test('process.exit in a module is a death', async () => {
    const thread = await ActorThread.start(specOf({}))
    await expect(new ActorClient('counter', connectTo(thread)).ask({ kind: 'exit' })).rejects.toMatchObject({
      code: 'ACTOR_RESTARTED',
    })
    expect(await thread.exited).toMatchObject({
      kind: 'died',
      error: { code: 'ACTOR_FAILED', message: expect.stringContaining('exit code 7') },
    })
  })

  test('terminate is no death, and closes the port', async () => {
    const thread = await ActorThread.start(specOf({ logPath }))
    const asks = new AskPort(thread.port, { maxPending: 1 })
    await thread.terminate()
    expect(await thread.exited).toEqual({ kind: 'stopped' })
    await expect(asks.ask('anything', 1)).rejects.toMatchObject({ code: 'ACTOR_RESTARTED' })
    expect(readLog()).toEqual(['start'])
  })

  test('many threads start and stop at once', async () => {
    const threads = await Promise.all(Array.from({ length: 6 }, () => ActorThread.start(specOf({}))))
    const ports: MessagePort[] = threads.map((thread) => connectTo(thread))
    const replies = await Promise.all(
      ports.map((port, value) => new ActorClient('counter', port).ask({ kind: 'echo', value })),
    )
    expect(replies).toEqual([0, 1, 2, 3, 4, 5])
    expect(await Promise.all(threads.map((thread) => thread.stop(10_000)))).toEqual(Array(6).fill('stopped'))
  })
})

describe('a thread entry', () => {
  test('runs in a host that was given as text, and the host ends when its thread has', async () => {
    const script = `
      import { ActorThread } from ${JSON.stringify(new URL('../../src/actor/thread.ts', import.meta.url).href)}
      const thread = await ActorThread.start(${JSON.stringify(specOf({}))})
      console.log(await thread.stop(10_000))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
    expect(stdout.trim()).toBe('stopped')
  })

  test('run as a program says what it is', async () => {
    const error = await run(process.execPath, [fileURLToPath(threadEntryUrl('actor'))]).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 1, stderr: expect.stringContaining('It is not a program') })
  })

  test('refuses to run outside of a thread of the engine', () => {
    expect(() => startOfThread('actor')).toThrow('workers/actor runs outside of a thread of the engine')
  })

  test('is a file beside the sources', () => {
    expect(existsSync(fileURLToPath(threadEntryUrl('actor')))).toBe(true)
    expect(threadEntryUrl('pool-thread').href).toMatch(/\/workers\/pool-thread\.ts$/)
  })
})

async function rejectionOf(spec: ThreadSpec): Promise<unknown> {
  return await ActorThread.start(spec).then(
    () => Promise.reject(new Error('it started')),
    (reason: unknown) => reason,
  )
}
