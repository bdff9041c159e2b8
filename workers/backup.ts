/** The thread that makes one backup of the job database. */
import { startOfThread } from '../src/actor/thread-start.ts'
import { runBackup } from '../src/store/serve-backup.ts'

runBackup(startOfThread('backup'))
