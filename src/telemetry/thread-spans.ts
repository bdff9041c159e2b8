/** Has an SDK that runs in a pool thread export what it holds, since the thread sleeps when it has nothing to do. */
import { systemClock } from '../clock.ts'
import { registeredApi } from './open-telemetry.ts'

/** How long an export waits for more spans. */
const gatherMs = 1_000

/** What SDKs have beside OpenTelemetry's API. */
interface Flushable {
  forceFlush(): Promise<void>
}

let endGathering: (() => void) | undefined

/** Whether this thread has an SDK that could hold anything. */
export function mayHoldSpans(): boolean {
  return flushable() !== undefined
}

/** Resolves when all is exported, or cannot be. `isLast`: now, and without waiting for more. */
export async function flushSpans(isLast: boolean): Promise<void> {
  if (isLast) endGathering?.()
  else await gather()
  try {
    await flushable()?.forceFlush()
  } catch {
    // A collector that is down is for the SDK to tell of.
  }
}

async function gather(): Promise<void> {
  const isOver = Promise.withResolvers<void>()
  endGathering = isOver.resolve
  const timer = systemClock.startTimer(gatherMs, isOver.resolve)
  await isOver.promise
  timer.cancel()
  endGathering = undefined
}

function flushable(): Flushable | undefined {
  const provider = registeredApi()?.trace.getTracerProvider()
  const delegate =
    provider !== undefined && 'getDelegate' in provider ? (provider as Delegating).getDelegate() : provider
  return isFlushable(delegate) ? delegate : undefined
}

/** The API hands out a stand-in for what was registered. */
interface Delegating {
  getDelegate(): unknown
}

function isFlushable(provider: unknown): provider is Flushable {
  return (
    typeof provider === 'object' &&
    provider !== null &&
    'forceFlush' in provider &&
    typeof provider.forceFlush === 'function'
  )
}
