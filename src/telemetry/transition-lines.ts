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
}

export const transitionTarget = 'semantica.supervisor'
export const transitionMessage = 'Job state transition'

/** Of what is skipped nobody gets a result, or an error from a handler. */
export function isSkip(state: JobState): boolean {
  return state === 'SKIPPED_TTL' || state === 'SKIPPED_DEADLINE'
}

/** One JSON line for each job. `level` is of those that are no skips, which are warnings. */
export function transitionLines(
  runs: readonly TransitionRun[],
  timestamp: string,
  idOf: (seq: number) => string,
): string {
  let lines = ''
  for (const { firstSeq, jobs, jobType, queue, from, state, attempt, durationMs } of runs) {
    const level = isSkip(state) ? 'WARN' : 'INFO'
    const before = `{"timestamp":"${timestamp}","level":"${level}","trace_id":"","target":"${transitionTarget}","fields":{"job_id":"`
    const fromState = from === null ? '' : `"from_state":"${from}",`
    const duration = durationMs === null ? '' : `,"duration_ms":${durationMs}`
    const after =
      `","job_type":${JSON.stringify(jobType)},"queue":${JSON.stringify(queue)},${fromState}"state":"${state}",` +
      `"attempt":${attempt}${duration}},"message":"${transitionMessage}"}\n`
    for (let seq = firstSeq; seq < firstSeq + jobs; seq++) lines += before + idOf(seq) + after
  }
  return lines
}
