/** A worker process: runs jobs until its parent lets go of it. */
import type { JobKind } from '../harness/contender.ts'
import { listenToMarks } from '../harness/marks.ts'
import { definePlainjobWorker, openPlainjobQueue } from './plainjob-queue.ts'

const [folder = '', kind = ''] = process.argv.slice(2)
const queue = openPlainjobQueue(folder)
// The boundary where the command line gets its type: the parent is of the same folder.
const worker = definePlainjobWorker(queue, kind as JobKind, () => {})
listenToMarks((mark) => process.send?.(mark))
process.once('disconnect', () => process.exit(0))
process.send?.('ready')
await worker.start()
