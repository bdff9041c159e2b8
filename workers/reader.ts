/** The thread that reads stored jobs for the host. */
import { startOfThread } from '../src/actor/thread-start.ts'
import { runReader } from '../src/store/serve-reader.ts'

runReader(startOfThread('reader'))
