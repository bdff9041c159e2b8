/** Imported by pool threads before the jobs, where the command exports traces. */
import { isMainThread } from 'node:worker_threads'
import { carrySpans } from '../src/telemetry/span-courier.ts'

if (isMainThread) throw new Error('workers/span-courier runs in a pool thread only')

carrySpans()
