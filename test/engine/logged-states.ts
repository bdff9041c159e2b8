import { expect } from 'vitest'
import { canBecome, type JobState } from '../../src/job/state.ts'
import type { EngineEvent, SupervisorNotice } from '../../src/supervisor/messages.ts'
import { Transitions } from '../../src/supervisor/transitions.ts'
import type { TransitionRun } from '../../src/telemetry/transition-lines.ts'

/** What a reader of the log knows of each job's state: by the transitions, and by the events that stand for one. */
export class LoggedStates {
  readonly transitions = new Transitions((notice) => this.#heed(notice))
  readonly states = new Map<number, JobState>()

  readonly onEvent = (event: EngineEvent): void => {
    if (event.kind === 'job-failed') this.#move(event.seq, 'RUNNING', 'FAILED')
    if (event.kind === 'job-retried') this.#move(event.seq, 'RUNNING', event.state)
  }

  #heed(notice: SupervisorNotice): void {
    if (notice.kind !== 'transitions') return
    // The boundary where what was told gets its type again.
    for (const { firstSeq, jobs, from, state } of JSON.parse(notice.runs) as TransitionRun[]) {
      for (let seq = firstSeq; seq < firstSeq + jobs; seq++) this.#move(seq, from, state)
    }
  }

  #move(seq: number, from: JobState | null, state: JobState): void {
    expect(this.states.get(seq) ?? null, `job ${seq} becomes ${state}`).toBe(from)
    if (from !== null) expect(canBecome(from, state), `${from} becomes ${state}`).toBe(true)
    this.states.set(seq, state)
  }
}
