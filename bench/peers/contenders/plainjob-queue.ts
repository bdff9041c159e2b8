import { join } from 'node:path'
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker, type Logger, type Queue, type Worker } from 'plainjob'
import type { JobKind, PeerPayload } from '../harness/contender.ts'
import { handlers } from '../harness/handlers.ts'

/** Its default logger is the console, with two lines for each job. */
const silent: Logger = { error: console.error, warn() {}, info() {}, debug() {} }

/** It sets WAL and synchronous=NORMAL by itself. */
export function openPlainjobQueue(folder: string): Queue {
  return defineQueue({ connection: better(new Database(join(folder, 'plainjob.db'))), logger: silent })
}

/**
 * The poll interval, 1 s by default, is the least it takes: nothing else wakes a worker, and it polls only when there
 * is nothing to do.
 */
export function definePlainjobWorker(queue: Queue, kind: JobKind, onCompleted: () => void): Worker {
  return defineWorker(kind, (job) => handlers[kind](JSON.parse(job.data) as PeerPayload), {
    queue,
    logger: silent,
    pollIntervall: 1,
    onCompleted,
  })
}
