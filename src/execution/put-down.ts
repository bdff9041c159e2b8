import { syncBuiltinESMExports } from 'node:module'
import type { BatchRunner } from './batch-runner.ts'
import type { ThreadMessage } from './messages.ts'

type Tell = (message: ThreadMessage) => void

/**
 * From now on a call of `process.exit`, which the thread obeys as ever, is put down to the job that did it. To be called
 * before any module of the user is loaded: one may take hold of the function itself.
 *
 * @param greeted gives the runner and the way to the supervisor, once they are there
 */
export function putDownExits(
  greeted: () => { readonly runner: BatchRunner; readonly tell: Tell } | undefined,
): void {
  const exit = process.exit.bind(process)
  process.exit = (code) => {
    const thread = greeted()
    const late = thread?.runner.exits(`process.exit(${code ?? ''})`)
    if (late === undefined) tellUnowned(thread)
    else if (late !== 'running') thread?.tell({ kind: 'exits-later', ...late })
    return exit(code)
  }
  // For those who import it by its name.
  syncBuiltinESMExports()
}

/** From now on an exception that nobody caught, which would end this thread, is put down to the job that began what threw. */
export function putDownThrows(runner: BatchRunner, tell: Tell): void {
  process.on('uncaughtException', (thrown) => {
    if (runner.threwLater(thrown, (late) => tell({ kind: 'threw-later', ...late }))) return
    // Nobody's: the thread dies of it, as it would have without us.
    tellUnowned({ runner, tell })
    throw thrown
  })
}

function tellUnowned(thread: { readonly runner: BatchRunner; readonly tell: Tell } | undefined): void {
  thread?.tell({ kind: thread.runner.isUnclear ? 'ends-unclear' : 'ends-unowned' })
}
