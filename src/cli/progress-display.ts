import type { SingleBar } from 'cli-progress'
import { systemClock } from '../clock.ts'
import type { IndexProgress } from '../indexer/run-tally.ts'

/** Shows how far a run is, on stderr. */
export interface ProgressDisplay {
  update(progress: IndexProgress): void
  /** Writes whole lines to stderr, where what it shows must make way for them. */
  readonly print?: (lines: string) => void
  finish(): void
}

/** Between two plain lines, and between two redraws of the bar. */
const lineIntervalMs = 3_000
const redrawIntervalMs = 100

export async function progressDisplay(isTerminal: boolean): Promise<ProgressDisplay> {
  return isTerminal ? bar() : plainLines()
}

async function bar(): Promise<ProgressDisplay> {
  const { default: progress } = await import('cli-progress')
  const single: SingleBar = new progress.SingleBar({
    format: '{bar} {percentage}% | {value}/{total} files | {rate} | ETA {left} | {failed} failed',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    gracefulExit: false,
    stream: process.stderr,
  })
  const measure = rateMeter()
  let shown: IndexProgress | undefined
  let drawnAtMs = 0
  let payload = {}
  return {
    update(state) {
      if (state.filesTotal === 0) return
      const { rate, left } = measure(state)
      payload = { rate, left, failed: state.failed }
      if (shown === undefined) single.start(state.filesTotal, state.filesDone, payload)
      shown = state
      const nowMs = systemClock.monotonicMs()
      if (nowMs - drawnAtMs < redrawIntervalMs && state.filesDone < state.filesTotal) return
      drawnAtMs = nowMs
      single.update(state.filesDone, payload)
    },
    print(lines) {
      // Where it was is no longer where it is once the screen has scrolled: it ends above the lines, and begins below.
      if (shown !== undefined) single.stop()
      process.stderr.write(lines)
      if (shown !== undefined) single.start(shown.filesTotal, shown.filesDone, payload)
    },
    finish() {
      if (shown !== undefined) single.stop()
      shown = undefined
    },
  }
}

function plainLines(): ProgressDisplay {
  const measure = rateMeter()
  let printedAtMs = systemClock.monotonicMs()
  return {
    update(state) {
      const nowMs = systemClock.monotonicMs()
      const { rate, left } = measure(state)
      if (nowMs - printedAtMs < lineIntervalMs) return
      printedAtMs = nowMs
      const { filesDone, filesTotal, failed } = state
      process.stderr.write(`${filesDone}/${filesTotal} files, ${rate}, ETA ${left}, ${failed} failed\n`)
    },
    finish() {},
  }
}

/** Rates since the first call; the time left goes by bytes, since large files come first. */
function rateMeter() {
  let startedAtMs: number | undefined
  return (state: IndexProgress): { readonly rate: string; readonly left: string } => {
    const nowMs = systemClock.monotonicMs()
    startedAtMs ??= nowMs
    const seconds = Math.max(0.001, (nowMs - startedAtMs) / 1_000)
    const bytesPerSecond = state.bytesDone / seconds
    const rate = `${Math.round(state.filesDone / seconds)} files/s, ${(bytesPerSecond / 1e6).toFixed(1)} MB/s`
    const bytesLeft = state.bytesTotal - state.bytesDone
    return { rate, left: bytesPerSecond > 0 ? `${Math.ceil(bytesLeft / bytesPerSecond)} s` : '?' }
  }
}
