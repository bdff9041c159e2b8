/** The thread that owns the job database and the pool. */
import { startOfThread } from '../src/actor/thread-start.ts'
import { bootThread } from '../src/supervisor/boot-thread.ts'
import type { SupervisorStart } from '../src/supervisor/messages.ts'

const thread = startOfThread('supervisor')
// The boundary where the host's data gets its type.
const start = thread.data as SupervisorStart
// First: they take longer than what follows takes to load, and the database to open.
const booted = Array.from({ length: start.threads }, () => bootThread(start.threadMemoryMb))
const { runSupervisor } = await import('../src/supervisor/serve.ts')
await runSupervisor(thread, start, booted)
