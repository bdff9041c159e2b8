import type { Answer } from '../actor/port.ts'
import { readWalBytes } from '../store/checkpoint.ts'
import { readFileBytes } from '../store/file-size.ts'
import type { Database } from '../store/open.ts'
import type { EngineFacts, QueueFacts } from '../telemetry/facts.ts'
import type { Claims } from './claims.ts'
import type { Metering } from './metering.ts'
import type { Supervisor } from './supervisor.ts'

/** Some microseconds and what it takes to look at each claim, whatever the number of jobs. Not inside a transaction. */
export function tellFacts(
  supervisor: Supervisor,
  database: Database,
  metering: Metering | undefined,
  answer: Answer<EngineFacts>,
): void {
  try {
    answer.reply(readFacts(supervisor, database, metering))
  } catch (error) {
    // A damaged file, or the engine has just stopped.
    answer.refuse(error)
  }
}

function readFacts(supervisor: Supervisor, database: Database, metering: Metering | undefined): EngineFacts {
  const { threads, claims, mailbox, commits, throttled } = supervisor.stats()
  return {
    queues: readQueues(supervisor),
    entered: supervisor.changes.writer.counters.entered,
    threads,
    claims,
    mailbox,
    commits,
    ...readFileBytes(database),
    walBytes: readWalBytes(database),
    isThrottled: throttled !== undefined,
    failedMaintenanceRuns: supervisor.maintenance.failedRuns,
    measured: metering?.facts(),
  }
}

function readQueues({ changes }: Supervisor): Record<string, QueueFacts> {
  const { counters } = changes.writer
  const waiting = countWaiting(changes.claims)
  // Not one after the other into an object: `__proto__` is a name like any other.
  return Object.fromEntries(
    [...counters.byQueue()].map(([queue, jobs]) => {
      const { added, entered } = counters.flowOf(queue)
      return [queue, { jobs, waitingClaims: waiting.get(queue) ?? 0, added, entered }]
    }),
  )
}

function countWaiting(claims: Claims): Map<string, number> {
  const waiting = new Map<string, number>()
  for (const claim of claims.all())
    if (claims.isWaiting(claim)) waiting.set(claim.queue, (waiting.get(claim.queue) ?? 0) + 1)
  return waiting
}
