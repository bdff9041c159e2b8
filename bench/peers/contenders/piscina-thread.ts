import type { PeerJob } from '../harness/contender.ts'
import { handlers } from '../harness/handlers.ts'

// Piscina calls the default export.
export default ({ kind, payload }: PeerJob): Promise<void> | void => handlers[kind](payload)
