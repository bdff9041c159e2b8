/** The thread of one run of maintenance, at the lowest priority. */
import { startOfThread } from '../src/actor/thread-start.ts'
import { runMaintenance } from '../src/maintenance/run-maintenance.ts'

await runMaintenance(startOfThread('maintenance'))
