/** Keeps the host from what its own functions throw while something is told to them, at once or later. */
import { types } from 'node:util'
import { toPlainError } from '../errors.ts'

/**
 * What `tell` throws, or what the promise that it gives rejects with, becomes a warning of the process.
 *
 * @param whom whose function is called
 */
export function unlessThrows(whom: string, tell: () => unknown): void {
  try {
    const told = tell()
    if (types.isPromise(told)) told.then(undefined, (thrown: unknown) => warn(whom, thrown))
  } catch (thrown) {
    warn(whom, thrown)
  }
}

/** As a text: an error would keep its own name and code, and lose the code of the warning. */
function warn(whom: string, thrown: unknown): void {
  const { message, stack } = toPlainError(thrown)
  const detail = stack === undefined ? {} : { detail: stack }
  process.emitWarning(`${whom} threw: ${message}`, { code: 'SEMANTICA_LISTENER_THREW', ...detail })
}
