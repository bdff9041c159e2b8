/** State transitions as lines of the log. Written by hand, since there may be half a million of them a second. */
import type { JobState } from '../job/state.ts'

/** Jobs with neighbouring numbers that changed alike, in one commit. */
export interface TransitionRun {
  readonly firstSeq: number
  jobs: number
  readonly jobType: string
  readonly queue: string
  /** Null: the job is new. */
  readonly from: JobState | null
  readonly state: JobState
  /** The attempt that begins, has ended, or was the last one; 0 before the first. */
  readonly attempt: number
  /** From the begin of the handler to the end of the attempt. Null: none has ended. */
  readonly durationMs: number | null
  /** The span that they were enqueued in, as W3C writes it; null: none. */
  readonly traceparent: string | null
}

export const transitionTarget = 'semantica.supervisor'
export const transitionMessage = 'Job state transition'

/** Of what is skipped nobody gets a result, or an error from a handler. */
export function isSkip(state: JobState): boolean {
  return state === 'SKIPPED_TTL' || state === 'SKIPPED_DEADLINE'
}

/** As much as is written at a time, but for longer lines. */
const chunkBytes = 262_144
/** Used again and again: a new text of some 100,000 characters for each commit costs ten times as much as its bytes. */
let chunk = Buffer.alloc(0)

/**
 * One JSON line for each job, in chunks of whole lines. A chunk is only valid while `write` runs.
 */
export function writeTransitions(
  runs: readonly TransitionRun[],
  timestamp: string,
  idOf: (seq: number) => string,
  write: (lines: Uint8Array) => void,
): void {
  if (chunk.length === 0) chunk = Buffer.allocUnsafeSlow(chunkBytes)
  let length = 0
  for (const run of runs) {
    const { before, after } = aroundId(run, timestamp)
    for (let seq = run.firstSeq; seq < run.firstSeq + run.jobs; seq++) {
      const id = idOf(seq)
      if (length + before.length + id.length + after.length > chunkBytes) {
        write(chunk.subarray(0, length))
        length = 0
      }
      length += before.copy(chunk, length)
      length += chunk.write(id, length, 'latin1')
      length += after.copy(chunk, length)
    }
  }
  if (length > 0) write(chunk.subarray(0, length))
}

/** All of a line but the job's id, which is the only thing in which the lines of a run differ. */
function aroundId(
  { jobType, queue, from, state, attempt, durationMs, traceparent }: TransitionRun,
  timestamp: string,
): { readonly before: Buffer; readonly after: Buffer } {
  const traceId = traceparent?.split('-')[1] ?? ''
  const level = isSkip(state) ? 'WARN' : 'INFO'
  const fromState = from === null ? '' : `"from_state":"${from}",`
  const duration = durationMs === null ? '' : `,"duration_ms":${durationMs}`
  return {
    before: Buffer.from(
      `{"timestamp":"${timestamp}","level":"${level}","trace_id":"${traceId}","target":"${transitionTarget}","fields":{"job_id":"`,
    ),
    after: Buffer.from(
      `","job_type":${JSON.stringify(jobType)},"queue":${JSON.stringify(queue)},${fromState}"state":"${state}",` +
        `"attempt":${attempt}${duration}},"message":"${transitionMessage}"}\n`,
    ),
  }
}
