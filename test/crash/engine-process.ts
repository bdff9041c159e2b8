import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, vi } from 'vitest'
import { fromPlainError } from '../../src/errors.ts'
import type { HostCommand, HostReply, HostRequest, HostSettings } from '../fixtures/crash/host-messages.ts'
import { isFull } from './effort.ts'

const fixtures = join(import.meta.dirname, '../fixtures/crash')

interface Waiter {
  readonly isWanted: (line: string) => boolean
  readonly count: number
  readonly found: PromiseWithResolvers<string>
}

// Against a hang. Starting a process takes a tenth of a second, or some seconds on a machine that has much else to do.
vi.setConfig({ testTimeout: isFull ? 1_200_000 : 180_000 })

/** Those that live. A test that ran out of time never comes to the end of its block. */
const living = new Set<EngineProcess>()
afterEach(async () => {
  await Promise.all(Array.from(living, (one) => one.kill()))
})

/**
 * A process with an engine in it, made to be killed. What it records is in `journal`, whole even after a SIGKILL. Use
 * it with `await using`: it cannot outlive its block.
 */
export class EngineProcess implements AsyncDisposable {
  readonly journal: string[] = []
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown[]>
  readonly #waiters = new Set<Waiter>()
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>()
  #lastNumber = 0
  #rest = ''
  #stderr = ''

  private constructor(program: string, parameters: readonly string[]) {
    this.#child = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'] })
    this.#closed = once(this.#child, 'close')
    living.add(this)
    void this.#closed.then(() => this.#ended())
    // The boundary: the fifth of the streams above.
    const journal = this.#child.stdio[4] as Readable
    journal.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#child.on('message', (reply: HostReply) => this.#answered(reply))
  }

  /** @param wrap a program that is to run the command it is given, in surroundings of its own */
  static host(settings: HostSettings, wrap: readonly string[] = []): EngineProcess {
    return EngineProcess.#start('host.ts', [JSON.stringify(settings)], wrap)
  }

  static producer(
    database: string,
    mode: 'produce' | 'drain' | 'produce-maintained' | 'drain-maintained',
  ): EngineProcess {
    return EngineProcess.#start('producer.ts', [database, mode], [])
  }

  static #start(fixture: string, parameters: readonly string[], wrap: readonly string[]): EngineProcess {
    const command = [...wrap, process.execPath, join(fixtures, fixture), ...parameters]
    const [program = '', ...rest] = command
    return new EngineProcess(program, rest)
  }

  /** Tells the host to do something; resolves to its answer. */
  ask(command: HostCommand): Promise<unknown> {
    const number = ++this.#lastNumber
    const answer = Promise.withResolvers<unknown>()
    this.#asked.set(number, answer)
    this.#child.send({ number, command } satisfies HostRequest)
    return answer.promise
  }

  /** Enqueues; resolves to the job's id once it is acknowledged. */
  async enqueue(
    jobType: Extract<HostCommand, { kind: 'enqueue' }>['jobType'],
    payload: unknown = null,
    options: Extract<HostCommand, { kind: 'enqueue' }>['options'] = {},
  ): Promise<string> {
    return String(await this.ask({ kind: 'enqueue', jobType, payload, options }))
  }

  /** Resolves to the line that is the `count`th of those that begin so, past ones included. */
  line(start: string, count = 1): Promise<string> {
    return this.#await((line) => line === start || line.startsWith(`${start} `), count)
  }

  /** Resolves when so many lines of any kind have been recorded. */
  async lines(count: number): Promise<void> {
    await this.#await(() => true, count)
  }

  /** Ends the process at once, and resolves when it is gone and the journal is whole. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  /** Resolves when the process has ended by itself. */
  async ended(): Promise<{ readonly signal: NodeJS.Signals | null; readonly code: number | null }> {
    await this.#closed
    return { signal: this.#child.signalCode, code: this.#child.exitCode }
  }

  /** Resolves when the host's engine has nothing left to do. Lets GATED jobs go, however often they begin. */
  async comeToRest(): Promise<void> {
    let isIdle = false
    const idle = this.ask({ kind: 'idle' }).then(() => {
      isIdle = true
    })
    while (!isIdle) {
      await this.ask({ kind: 'release' })
      await turn()
    }
    await idle
  }

  /** Stops the host's engine and lets the process end by itself. */
  async leave(): Promise<void> {
    await this.ask({ kind: 'stop', graceMs: 1_000 })
    this.ask({ kind: 'leave' }).catch(() => {})
    const { code } = await this.ended()
    if (code !== 0) throw new Error(`The process ended with ${code}: ${this.#stderr}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  #await(isWanted: (line: string) => boolean, count: number): Promise<string> {
    const found = Promise.withResolvers<string>()
    const waiter: Waiter = { isWanted, count, found }
    this.#waiters.add(waiter)
    this.#look(waiter)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      void this.#closed.then(() => this.#ended())
    }
    return found.promise
  }

  #look(waiter: Waiter): void {
    let left = waiter.count
    const line = this.journal.find((one) => waiter.isWanted(one) && --left === 0)
    if (line === undefined) return
    this.#waiters.delete(waiter)
    waiter.found.resolve(line)
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    this.journal.push(...lines)
    for (const waiter of this.#waiters) this.#look(waiter)
  }

  #answered({ number, value, error }: HostReply): void {
    const asked = this.#asked.get(number)
    this.#asked.delete(number)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(fromPlainError(error))
  }

  #ended(): void {
    living.delete(this)
    const error = new Error(`The process has ended. ${this.#stderr}\n${this.journal.slice(-20).join('\n')}`)
    for (const { found } of this.#waiters) found.reject(error)
    for (const { promise, reject } of this.#asked.values()) {
      // Who killed the process on purpose has no interest in the answer any more.
      promise.catch(() => {})
      reject(error)
    }
    this.#waiters.clear()
    this.#asked.clear()
  }
}
