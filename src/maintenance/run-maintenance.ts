/** One run of maintenance: every duty in its turn, on a thread that only reads. */
import { AskPort } from '../actor/port.ts'
import { makeThreadNicer } from '../actor/thread-priority.ts'
import type { ThreadStart } from '../actor/thread-start.ts'
import { systemClock } from '../clock.ts'
import { toPlainError } from '../errors.ts'
import { toDatabaseId } from '../job/id.ts'
import { fromSqliteError, sqliteCode } from '../store/database-errors.ts'
import { openReader } from '../store/open.ts'
import type { MaintenanceNotice, MaintenanceProtocol, MaintenanceStart } from '../supervisor/messages.ts'
import { makeDuties } from './duties.ts'
import type { Duty, DutyReport } from './duty.ts'

/** The lowest priority that there is, in degrees. */
const lowestPriority = 19
/** How often it is told what a duty has done so far. */
const progressEveryMs = 1_000

export async function runMaintenance(thread: ThreadStart): Promise<void> {
  // The boundary where the owner's data gets its type.
  const { path, databaseId, settings, checksIntegrity } = thread.data as MaintenanceStart
  try {
    makeThreadNicer(lowestPriority)
    const database = openReader(path)
    let isStopped = false
    thread.onStop(() => {
      isStopped = true
      database.close()
    })
    const supervisor = new AskPort<MaintenanceProtocol>(thread.port, {
      maxPending: 1,
      name: 'The supervisor',
    })
    const tell = (notice: MaintenanceNotice) => supervisor.tell(notice)
    const duties = makeDuties({
      database,
      databaseId: toDatabaseId(databaseId),
      settings,
      checksIntegrity,
      clock: systemClock,
      supervisor,
    })
    thread.ready()
    const reports: DutyReport[] = []
    for (const duty of duties) {
      const error = await fulfil(duty, tell, () => isStopped)
      if (isStopped) return
      if (error !== undefined)
        tell({ kind: 'duty-failed', duty: duty.name, error: toPlainError(withCode(error, database.name)) })
      reports.push(duty.report())
    }
    tell({ kind: 'finished', duties: reports })
  } catch (error) {
    thread.failed(withCode(error, path))
  }
}

/** What SQLite said of the database, whoever read it, by its code in the registry. Errors of other files are not of it. */
function withCode(error: unknown, path: string): unknown {
  return sqliteCode(error)?.startsWith('SQLITE_') ? fromSqliteError(error, path) : error
}

/** Runs the slices of a duty to its end; gives what went wrong. */
async function fulfil(
  duty: Duty,
  tell: (notice: MaintenanceNotice) => void,
  isStopped: () => boolean,
): Promise<unknown> {
  let nextTellMs = systemClock.monotonicMs() + progressEveryMs
  try {
    while (!isStopped() && (await duty.runOnce())) {
      if (systemClock.monotonicMs() < nextTellMs) continue
      nextTellMs = systemClock.monotonicMs() + progressEveryMs
      const { details: _, ...progress } = duty.report()
      tell({ kind: 'progress', progress })
    }
    return undefined
  } catch (error) {
    return error
  }
}
