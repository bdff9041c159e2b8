import type { Answer } from '../actor/port.ts'
import { readWalBytes } from '../store/checkpoint.ts'
import { readFileBytes } from '../store/file-size.ts'
import type { Database } from '../store/open.ts'
import type { EngineFacts, QueueFacts } from '../telemetry/facts.ts'
import type { Metering } from './metering.ts'
import type { Supervisor } from './supervisor.ts'

/** Some microseconds, whatever the number of jobs. Not inside a transaction. */
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
  // Not one after the other into an object: `__proto__` is a name like any other.
  return Object.fromEntries(
    [...counters.byQueue()].map(([queue, jobs]) => {
      const { added, entered } = counters.flowOf(queue)
      return [queue, { jobs, added, entered }]
    }),
  )
}
