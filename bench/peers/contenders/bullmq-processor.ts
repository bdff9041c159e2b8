/** What BullMQ's threads load. */
import type { SandboxedJob } from 'bullmq'
import type { JobKind, PeerPayload } from '../harness/contender.ts'
import { handlers } from '../harness/handlers.ts'

export default async function run(job: SandboxedJob<PeerPayload>): Promise<void> {
  // The boundary where the job's name gets its type: the works enqueue nothing else.
  await handlers[job.name as JobKind](job.data)
}
