import type { BatchRunner } from './batch-runner.ts'
import type { ThreadMessage } from './messages.ts'

/**
 * From now on what would end this thread is put down to the job that did it: an exception that nobody caught, and a call
 * of `process.exit`, which the thread obeys as ever.
 */
export function putDownEnds(runner: BatchRunner, tell: (message: ThreadMessage) => void): void {
  process.on('uncaughtException', (thrown) => {
    const late = runner.threwLater(thrown)
    if (late === undefined) {
      // Nobody's: the thread dies of it, as it would have without us.
      if (runner.isUnclear) tell({ kind: 'ends-unclear' })
      throw thrown
    }
    tell({ kind: 'threw-later', ...late })
  })
  const exit = process.exit.bind(process)
  process.exit = (code) => {
    const late = runner.exits(`process.exit(${code ?? ''})`)
    if (late === undefined && runner.isUnclear) tell({ kind: 'ends-unclear' })
    else if (late !== undefined && late !== 'running') tell({ kind: 'exits-later', ...late })
    return exit(code)
  }
}
