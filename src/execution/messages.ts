import type { MessagePort } from 'node:worker_threads'
import type { PlainError } from '../errors.ts'
import type { FailureCause } from '../job/failure-cause.ts'
import type { EnqueueOptions } from '../job/spec.ts'
import type { Verdict } from '../job/verdict.ts'
import type { AbortReason } from './control-block.ts'

/** What a pool thread is given as a Piscina task. */
export type PoolTask = GreetTask | BatchTask | FlushTask

/** First task of each thread: loads the modules, and brings the ports, which cannot reach an idle pool thread otherwise. */
export interface GreetTask {
  readonly kind: 'greet'
  readonly databaseId: string
  readonly moduleUrls: readonly string[]
  readonly setupUrl: string | undefined
  /** Whether each batch is answered with the memory that the thread holds. */
  readonly tellsMemory: boolean
  /** Whether types whose handlers were quiet for long may run without a context of their own. */
  readonly trusts: boolean
  /** From the supervisor: `ThreadNotice`; to the supervisor: `ThreadMessage`. */
  readonly port: MessagePort
  /** Where the thread lays down its outcomes. */
  readonly outbox: SharedArrayBuffer
  readonly actorPorts: Readonly<Record<string, MessagePort>>
  /** Real path of the database: the files of jobs lie beside it. */
  readonly database: string
  /** Size of a job's log, from which it goes on in a new file. */
  readonly jobLogBytes: number
  /** By so much it lets other threads of the machine go before it. */
  readonly niceness: number
}

export type GreetReply =
  | { readonly kind: 'ready'; readonly jobTypes: readonly string[] }
  | { readonly kind: 'failed'; readonly error: PlainError }

/**
 * Has what is traced in the thread exported, by whatever SDK its set-up module has brought along. An idle pool thread
 * neither runs timers nor sends anything: while this task runs it is awake.
 */
export interface FlushTask {
  readonly kind: 'flush'
  /** The thread is about to end. Otherwise more is waited for, up to a second. */
  readonly isLast: boolean
}

export type PoolReply = GreetReply | BatchReply | FlushReply

export interface FlushReply {
  readonly kind: 'flushed'
}

/** The jobs that one message carries to one thread, as columns: cloning one text is far cheaper than many objects. */
export interface BatchTask {
  readonly kind: 'batch'
  readonly batch: number
  readonly control: SharedArrayBuffer
  readonly jobs: number
  /** The number of the first of so many neighbours, or one each. */
  readonly seqs: number | readonly number[]
  /** One for all, or one each. */
  readonly jobTypes: string | readonly string[]
  /** JSON texts: one to a line, or, when one of them has several lines, one each. */
  readonly payloads: string | readonly string[]
  /** Undefined: all are first attempts in the default queue without a subject. */
  readonly details: readonly (JobDetails | undefined)[] | undefined
}

export interface JobDetails {
  readonly attempt: number
  readonly queue: string
  readonly subjectKey: string | undefined
  readonly generation: number | undefined
  /** Wall time after which the attempt must not begin. */
  readonly notAfter: number | undefined
  /** The span that the job was enqueued in. */
  readonly traceparent?: string | undefined
}

/** How attempts ended: successes as columns, everything else one by one. */
export interface Outcomes {
  readonly batch: number
  readonly succeeded: readonly number[]
  /** JSON of what each success returned, in the same order; undefined when none returned anything. */
  readonly results: readonly (string | undefined)[] | undefined
  readonly others: readonly AttemptEnd[]
}

/** How far a job has come, as its handler says. */
export interface Progress {
  /** From 0 to 1. */
  readonly fraction: number
  readonly note: string | null
  /** Wall time. */
  readonly at: number
}

/** A file that a job keeps, by its name in the job's folder. */
export interface Artifact {
  readonly name: string
  readonly bytes: number
}

/** What an attempt leaves behind beside its outcome. Undefined: nothing, or nothing new. */
export interface Leavings {
  readonly progress?: Progress | undefined
  readonly artifacts?: readonly Artifact[] | undefined
  /** JSON text. */
  readonly summary?: string | undefined
}

/** What is new of one running attempt. */
export interface AttemptNews extends Leavings {
  readonly seq: number
  readonly attempt: number
}

/** The log of a running attempt cannot be written, or its span (TRACE_FAILED). */
export interface LogFailure {
  readonly seq: number
  readonly jobType: string
  readonly traceId: string | undefined
  readonly error: PlainError
}

/**
 * Sent over the thread's port while a batch runs. What is left comes as the reply of the batch's task. Both carry only
 * what the outbox could not take.
 */
export type ThreadMessage =
  | ({ readonly kind: 'outcomes' } & Outcomes)
  /** The thread rests, and there is something in its outbox. */
  | { readonly kind: 'look-into-outbox' }
  /** Something threw where nobody could catch it. What the thread has begun goes on, but nobody knows what was left undone. */
  | ({ readonly kind: 'threw-later' } & LateThrow)
  /** A job that had ended calls for the end of the thread, which follows. */
  | ({ readonly kind: 'exits-later' } & LateThrow)
  /** The thread is about to end, and a job that has ended may be the cause, but nobody can tell. */
  | { readonly kind: 'ends-unclear' }
  /** The same of what no job has begun, as far as that can be followed: a connection of a module, say. */
  | { readonly kind: 'ends-unowned' }
  /** What handlers have left behind while they run; all of it comes again with their ends. */
  | { readonly kind: 'news'; readonly attempts: readonly AttemptNews[] }
  | ({ readonly kind: 'log-failed' } & LogFailure)
  /** The thread's event loop has its turn: the answer to `give-sign`. */
  | { readonly kind: 'sign-of-life' }

/** Something that a handler had begun threw where nobody could catch it, or called for the end of its thread. */
export interface LateThrow {
  readonly seq: number
  readonly jobType: string
  readonly traceId: string | undefined
  /** Whether the job had ended, with an outcome that nothing can change now. */
  readonly hasEnded: boolean
  readonly error: PlainError
  /** How often the attempt did so up to now. Not each of them is told. */
  readonly throws: number
  /** How the attempt ends once its handler has, or its thread; undefined: it has ended. */
  readonly end: AttemptEnd | undefined
}

/** The reply to a batch: the last outcomes, and what the thread holds. */
export interface BatchReply extends Outcomes {
  /** Heap and buffers of the thread, in MB, where it was asked to tell. */
  readonly memoryMb: number | undefined
  /** Whether an SDK may hold spans that it has not exported. */
  readonly mayHoldSpans: boolean
}

/** An attempt that ended with more, or other, than a result. */
export type AttemptEnd = { readonly index: number; readonly leavings?: Leavings | undefined } & (
  | {
      readonly kind: 'succeeded-with-more'
      readonly result: string | undefined
      readonly children: readonly ChildJob[]
    }
  | {
      readonly kind: 'failed'
      readonly cause: FailureCause
      readonly error: PlainError
      readonly verdict: Verdict
    }
  /** The handler gave way to its signal. */
  | {
      readonly kind: 'gave-way'
      readonly reason: AbortReason
      readonly error: PlainError
      readonly verdict: Verdict
    }
  /** Its time was over before its handler began. */
  | { readonly kind: 'expired' }
  /** Nobody's fault: an actor that it asked was restarted. Put back uncharged. */
  | { readonly kind: 'interrupted'; readonly error: PlainError }
)

/** A job that a handler enqueued: validated in the thread, committed with the outcome. */
export interface ChildJob {
  readonly jobType: string
  readonly payload: string
  readonly options: EnqueueOptions | undefined
  /** The span that was active. */
  readonly traceparent?: string | undefined
}

/** From the supervisor to a thread, beside batches. Read at the start of each batch, and while one waits. */
export type ThreadNotice =
  /** The job's control block asks it to give way; wakes up what only listens to its signal. */
  | { readonly kind: 'abort'; readonly batch: number; readonly index: number }
  /** An actor was restarted: the new way to it. */
  | { readonly kind: 'actor-port'; readonly name: string; readonly port: MessagePort }
  | { readonly kind: 'actor-failed'; readonly name: string; readonly error: PlainError }
  /** From now on no handler runs without a context of its own. */
  | { readonly kind: 'trust-nobody' }
  /** To be answered with a sign of life. Asked while nothing runs there but programs. */
  | { readonly kind: 'give-sign' }
