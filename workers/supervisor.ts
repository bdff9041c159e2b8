/** The thread that owns the job database and the pool. */
import { startOfThread } from '../src/actor/thread-start.ts'
import { runSupervisor } from '../src/supervisor/serve.ts'

await runSupervisor(startOfThread('supervisor'))
