/** A batch in its pool thread: how far it has come, and what is still to be told of it. */
import type { Attempt } from './attempt.ts'
import { ControlBlock } from './control-block.ts'
import type { AttemptEnd, BatchTask, Outcomes } from './messages.ts'
import type { ServedType } from './served-type.ts'

export interface RunningBatch {
  readonly task: BatchTask
  readonly payloads: readonly string[]
  readonly control: ControlBlock
  readonly settle: (rest: Outcomes) => void
  next: number
  running: number
  succeeded: number[]
  results: (string | undefined)[] | undefined
  others: AttemptEnd[]
}

export interface RunningJob {
  readonly batch: RunningBatch
  readonly index: number
  readonly attempt: Attempt
  readonly type: ServedType
  /** Whether its payload has passed the validator: what is thrown then is the handler's. */
  isValid: boolean
}

/** A batch of which nothing has begun. */
export function toRun(task: BatchTask, settle: RunningBatch['settle']): RunningBatch {
  return {
    task,
    payloads: typeof task.payloads === 'string' ? task.payloads.split('\n') : task.payloads,
    control: new ControlBlock(task.control),
    settle,
    next: 0,
    running: 0,
    succeeded: [],
    results: undefined,
    others: [],
  }
}

export function hasOutcomes(batch: RunningBatch): boolean {
  return batch.succeeded.length + batch.others.length > 0
}

export function takeOutcomes(batch: RunningBatch): Outcomes {
  const { succeeded, results, others } = batch
  batch.succeeded = []
  batch.results = undefined
  batch.others = []
  return { batch: batch.task.batch, succeeded, results, others }
}

export function seqAt({ seqs }: BatchTask, index: number): number {
  return typeof seqs === 'number' ? seqs + index : (seqs[index] ?? 0)
}

export function jobTypeAt(task: BatchTask, index: number): string {
  return typeof task.jobTypes === 'string' ? task.jobTypes : (task.jobTypes[index] ?? '')
}
