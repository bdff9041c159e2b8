/** What the host does with what the supervisor tells. */
import { afterThisTurn } from '../clock.ts'
import { fromPlainError, unreachable } from '../errors.ts'
import type { HostNotice, JobOutcome, SettledJob, SupervisorNotice } from '../supervisor/messages.ts'
import type { EngineEvents } from '../telemetry/events.ts'
import type { EngineLog } from '../telemetry/log.ts'
import type { TransitionRun } from '../telemetry/transition-lines.ts'
import type { ActorDirectory } from './actor-directory.ts'
import { emitEvent, emitSettled } from './event-names.ts'
import type { Outcomes } from './outcomes.ts'
import type { OwnMeasure } from './own-measure.ts'

/** All but ports, which cannot wait. */
export type News = Exclude<SupervisorNotice, { readonly kind: 'actor-port' }>

export interface Hearers {
  readonly events: EngineEvents
  readonly log: EngineLog
  readonly outcomes: Outcomes
  readonly measure: OwnMeasure
  readonly actors: ActorDirectory
  readonly idOf: (seq: number) => string
  tell(notice: HostNotice): void
}

function heed(news: News, { events, log, outcomes, measure, actors, idOf, tell }: Hearers): void {
  switch (news.kind) {
    case 'outcomes':
      // The boundary where what the supervisor wrote gets its type again.
      outcomes.told(JSON.parse(news.outcomes) as JobOutcome[])
      return
    case 'settled':
      // The same.
      for (const job of JSON.parse(news.jobs) as SettledJob[]) emitSettled(events, idOf, job)
      return
    case 'event':
      log.telling(
        { atMs: news.at, secrets: 'envValues' in news.event ? news.event.envValues : undefined },
        () => emitEvent(events, idOf, news.event),
      )
      return
    case 'transitions':
      // The same.
      log.transitions(JSON.parse(news.runs) as TransitionRun[], news.at, news.dropped, idOf)
      tell({ kind: 'logged', characters: news.runs.length })
      return
    case 'measure':
      void measure.answer()
      return
    case 'actor-failed':
      actors.fail(news.name, fromPlainError(news.error))
      return
    default:
      unreachable(news)
  }
}

/** Keeps what the supervisor tells, as what it recovered, until whoever started the engine can listen. */
export class Hearing {
  #early: News[] = []
  #hearers: Hearers | undefined

  hear(news: News): void {
    if (this.#hearers === undefined) this.#early.push(news)
    else heed(news, this.#hearers)
  }

  /** From the next turn on. */
  begin(hearers: Hearers): void {
    afterThisTurn(() => {
      this.#hearers = hearers
      for (const news of this.#early.splice(0)) heed(news, hearers)
    })
  }
}
