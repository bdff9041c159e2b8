import type { MessagePort } from 'node:worker_threads'
import type { Clock } from '../clock.ts'
import type { Database } from '../store/open.ts'
import type { Actors } from './actors.ts'
import type { ThreadHost } from './boot-thread.ts'
import type { SupervisorNotice, SupervisorStart } from './messages.ts'
import type { Metering } from './metering.ts'

/** What a supervisor is given: what it owns, and the way to its host. */
export interface SupervisorSurroundings {
  readonly start: SupervisorStart
  readonly database: Database
  readonly databaseId: string
  readonly clock: Clock
  /** They may be on their way already. */
  readonly actors: Actors
  /** Pool threads that are on their way already. */
  readonly booted: ThreadHost[]
  /** Undefined: metrics are off. */
  readonly metering: Metering | undefined
  tell(notice: SupervisorNotice, transfer?: readonly MessagePort[]): void
  /** It cannot go on. */
  giveUp(reason: Error): void
}
