import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { ToActor } from '../../src/actor/messages.ts'
import { AskPort } from '../../src/actor/port.ts'
import type { ActorThread } from '../../src/actor/thread.ts'

/** A port to an actor's thread, without a host. */
export function connectTo(thread: ActorThread): MessagePort {
  const { port1, port2 } = new MessageChannel()
  new AskPort(thread.port, { maxPending: 1 }).tell({ kind: 'connect', port: port2 } satisfies ToActor, [
    port2,
  ])
  return port1
}
