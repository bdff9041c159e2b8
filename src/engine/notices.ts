/** What the host does with what the supervisor tells. */
import type { ActorClient } from '../actor/actor-client.ts'
import { fromPlainError, unreachable } from '../errors.ts'
import type { JobOutcome, SettledJob, SupervisorNotice } from '../supervisor/messages.ts'
import type { EngineEvents } from '../telemetry/events.ts'
import { emitEvent, emitSettled } from './event-names.ts'
import type { Outcomes } from './outcomes.ts'
import type { OwnMeasure } from './own-measure.ts'

/** All but ports, which cannot wait. */
export type News = Exclude<SupervisorNotice, { readonly kind: 'actor-port' }>

interface Hearers {
  readonly events: EngineEvents
  readonly outcomes: Outcomes
  readonly measure: OwnMeasure
  readonly actors: ReadonlyMap<string, ActorClient>
  readonly idOf: (seq: number) => string
}

export function heed(news: News, { events, outcomes, measure, actors, idOf }: Hearers): void {
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
      emitEvent(events, idOf, news.event)
      return
    case 'measure':
      void measure.answer()
      return
    case 'actor-failed':
      actors.get(news.name)?.fail(fromPlainError(news.error))
      return
    default:
      unreachable(news)
  }
}
