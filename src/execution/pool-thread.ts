/**
 * What runs in a pool thread: it is greeted once, then runs batches until the thread is ended.
 *
 * An idle thread sits in Atomics.wait and hears nothing, so notices that came meanwhile are read before each batch.
 */
import { getHeapStatistics } from 'node:v8'
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { ActorClient } from '../actor/actor-client.ts'
import { afterMicrotasks, afterThisTurn, systemClock } from '../clock.ts'
import { assert, fromPlainError, toPlainError, unreachable } from '../errors.ts'
import { subprocessesName } from '../job/program.ts'
import { preloadApi } from '../telemetry/open-telemetry.ts'
import { flushSpans, mayHoldSpans } from '../telemetry/thread-spans.ts'
import { BatchRunner } from './batch-runner.ts'
import { ControlBlock } from './control-block.ts'
import { findActor } from './find-actor.ts'
import { captureConsole } from './job-console.ts'
import { loadHandlers, loadSetup } from './load.ts'
import type { GreetReply, GreetTask, PoolReply, PoolTask, ThreadMessage, ThreadNotice } from './messages.ts'
import { NewsDesk } from './news-desk.ts'
import { OutboxWriter } from './outbox.ts'
import { putDownExits, putDownThrows } from './put-down.ts'
import { ThreadNiceness } from './thread-niceness.ts'

interface Greeted {
  readonly tellsMemory: boolean
  readonly port: MessagePort
  readonly runner: BatchRunner
  readonly tell: (message: ThreadMessage) => void
  readonly actors: ReadonlyMap<string, ActorClient>
  readonly niceness: ThreadNiceness
}

let greeted: Greeted | undefined

/** The function that Piscina calls with each task. Must be the only export that a pool thread's entry has. */
export async function runTask(task: PoolTask): Promise<PoolReply> {
  switch (task.kind) {
    case 'greet':
      return greet(task)
    case 'batch': {
      assert(greeted !== undefined, 'a thread is greeted before its first batch')
      readNotices(greeted)
      const outcomes = await greeted.runner.run(task)
      greeted.niceness.ran(new ControlBlock(task.control))
      return {
        ...outcomes,
        memoryMb: greeted.tellsMemory ? memoryMb() : undefined,
        mayHoldSpans: mayHoldSpans(),
      }
    }
    case 'flush':
      await flushSpans(task.isLast)
      return { kind: 'flushed' }
    default:
      return unreachable(task)
  }
}

async function greet(task: GreetTask): Promise<GreetReply> {
  try {
    captureConsole(() => greeted?.runner.current()?.log)
    putDownExits(() => greeted)
    await loadSetup(task.setupUrl)
    const handlers = await loadHandlers(task.moduleUrls)
    await preloadApi()
    const actors = new Map<string, ActorClient>()
    for (const [name, port] of Object.entries(task.actorPorts)) actors.set(name, new ActorClient(name, port))
    const { port } = task
    const post = (message: ThreadMessage): void => port.postMessage(message)
    const runner = new BatchRunner(
      {
        databaseId: task.databaseId,
        handlers,
        actor: (name) => findActor(actors, name),
        programs: () => {
          const actor = actors.get(subprocessesName)
          assert(actor !== undefined, 'an engine with jobs that are programs has the actor that runs them')
          return actor
        },
        clock: systemClock,
        database: task.database,
        jobLogBytes: task.jobLogBytes,
        desk: new NewsDesk(systemClock, (attempts) => post({ kind: 'news', attempts })),
        onLogFailure: (failure) => post({ kind: 'log-failed', ...failure }),
      },
      {
        outbox: new OutboxWriter(task.outbox),
        send: (outcomes) => post({ kind: 'outcomes', ...outcomes }),
        announce: () => post({ kind: 'look-into-outbox' }),
        whenWaiting: afterThisTurn,
        afterThisTurn,
        afterMicrotasks,
      },
      task.trusts,
    )
    const niceness = new ThreadNiceness(task.niceness)
    greeted = { tellsMemory: task.tellsMemory, port, runner, tell: post, actors, niceness }
    putDownThrows(runner, post)
    port.on('message', (notice: ThreadNotice) => heed(notice))
    return { kind: 'ready', jobTypes: [...handlers.keys()] }
  } catch (error) {
    return { kind: 'failed', error: toPlainError(error) }
  }
}

function memoryMb(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return (used_heap_size + external_memory) / 1e6
}

function readNotices({ port }: Greeted): void {
  for (let entry = receiveMessageOnPort(port); entry !== undefined; entry = receiveMessageOnPort(port)) {
    heed(entry.message as ThreadNotice)
  }
}

function heed(notice: ThreadNotice): void {
  if (greeted === undefined) return
  switch (notice.kind) {
    case 'abort':
      greeted.runner.fireSignal(notice.batch, notice.index)
      return
    case 'actor-port':
      greeted.actors.get(notice.name)?.replacePort(notice.port)
      return
    case 'actor-failed':
      greeted.actors.get(notice.name)?.fail(fromPlainError(notice.error))
      return
    case 'trust-nobody':
      greeted.runner.trustNobody()
      return
    case 'give-sign':
      greeted.tell({ kind: 'sign-of-life' })
      return
    default:
      unreachable(notice)
  }
}
