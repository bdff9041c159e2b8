import { isMainThread } from 'node:worker_threads'
import { runTask } from '../src/execution/pool-thread.ts'

if (isMainThread) throw new Error('workers/pool-thread runs in a pool thread only')

// Piscina tries require() first, and Node aborts the whole process when a thread is ended in the last moment of
// requiring an ES module. One that awaits is refused by require() before that, and then imported.
await Promise.resolve()

// Piscina calls the default export.
export default runTask
