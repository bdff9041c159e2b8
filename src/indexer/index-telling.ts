import { afterThisTurn } from '../clock.ts'
import { fromPlainError } from '../errors.ts'
import type { JobContext } from '../jobs.ts'
import {
  type GroupReply,
  type IndexReply,
  indexWriterName,
  type MessageGroup,
  type SingleMessage,
} from './index-messages.ts'

/** How many handlers of one thread may be under way: half of them wait for a commit while the others parse. */
export const handlersUnderWay = 96
const messagesPerGroup = handlersUnderWay / 2

interface Untold {
  readonly message: SingleMessage
  readonly reply: PromiseWithResolvers<IndexReply>
}

let untold: Untold[] = []

/**
 * Sends a message to the index writer and resolves to its reply, after the commit. Messages of one thread travel in
 * groups: each sending wakes another thread, which for small files costs as much as parsing them.
 *
 * @throws what the writer refused this one message with, or what ended the writer
 */
export function tellIndex(context: JobContext, message: SingleMessage): Promise<IndexReply> {
  const reply = Promise.withResolvers<IndexReply>()
  untold.push({ message, reply })
  if (untold.length >= messagesPerGroup) send(context)
  // What is parsed in this turn may fill the group; after it the thread would wait.
  else if (untold.length === 1) afterThisTurn(() => send(context))
  return reply.promise
}

/** @param context of any handler whose message is in the group: it waits, so its context is valid */
function send(context: JobContext): void {
  if (untold.length === 0) return
  const messages = untold.map(({ message }) => message)
  const replies = untold.map(({ reply }) => reply)
  untold = []
  context
    .actor(indexWriterName)
    .ask({ kind: 'group', messages } satisfies MessageGroup)
    .then(
      // The writer is ours, and answers a group with nothing else.
      (answer) => deliver(replies, answer as GroupReply),
      (error: unknown) => {
        for (const reply of replies) reply.reject(error)
      },
    )
}

function deliver(waiting: readonly PromiseWithResolvers<IndexReply>[], { replies }: GroupReply): void {
  for (const [index, reply] of waiting.entries()) {
    const answer = replies[index]
    if (answer === undefined) reply.reject(new Error('The index writer left a message without a reply'))
    else if (answer.kind === 'refused') reply.reject(fromPlainError(answer.error))
    else reply.resolve(answer)
  }
}
