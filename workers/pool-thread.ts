import { isMainThread } from 'node:worker_threads'
import { runTask } from '../src/execution/pool-thread.ts'

if (isMainThread) throw new Error('workers/pool-thread runs in a pool thread only')

// Piscina calls the default export.
export default runTask
