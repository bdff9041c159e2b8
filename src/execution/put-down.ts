import type { BatchRunner } from './batch-runner.ts'
import type { LateThrow } from './messages.ts'

/**
 * From now on what would end this thread is put down to the job that did it: an exception that nobody caught, and a call
 * of `process.exit`, which the thread obeys as ever.
 */
export function putDownEnds(runner: BatchRunner, onLateThrow: (late: LateThrow) => void): void {
  process.on('uncaughtException', (thrown) => {
    const late = runner.threwLater(thrown)
    // Nobody's: the thread dies of it, as it would have without us.
    if (late === undefined) throw thrown
    onLateThrow(late)
  })
  const exit = process.exit.bind(process)
  process.exit = (code) => {
    runner.exits()
    return exit(code)
  }
}
