import { exitCodes } from './exit-codes.ts'

/** A signal that fires on Ctrl-C or SIGTERM. A second one of either ends the process at once. */
export function watchInterruption(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted)
    process.stderr.write('\nsemantica: stopping; again to end at once\n')
    controller.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
