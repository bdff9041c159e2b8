/**
 * Decides from one sample of the load after another whether jobs of low priority are held back.
 *
 * There are two gauges, CPU and memory, and each goes its own way:
 *
 *            over its limit, twice in a row
 *   calm ────────────────────────────────────────► pressed
 *     ▲                                               │
 *     └── below its lower bound, three times in a row ┘
 *
 * Jobs are held while a gauge is pressed, and the one that was pressed first is the reason. Between the two bounds a
 * gauge stays what it is, and so it does after a single sample, so that a load around the limit does not start and stop
 * jobs every second. What cannot be measured presses nothing, and counts as calm: a gauge that is lost holds no job
 * for ever.
 */
import type { LoadMeasure, ThrottleSettings } from '../config.ts'

export type ThrottleReason = 'cpu' | 'memory'

/** Samples in a row that change a gauge. */
export const samplesToPress = 2
export const samplesToCalm = 3

/** How far below its limit a gauge has to come to be calm again, in percent points; at most half of the limit. */
const returnGaps: Readonly<Record<ThrottleReason, number>> = { cpu: 15, memory: 5 }

interface Gauge {
  /** Number of the sample that pressed it; undefined: it is calm. */
  readonly pressedBy: number | undefined
  /** Samples in a row that speak for a change. */
  readonly streak: number
  readonly foundPercent: number
}

export interface ThrottleState {
  /** Samples so far. */
  readonly samples: number
  readonly gauges: Readonly<Record<ThrottleReason, Gauge>>
}

const calm: Gauge = { pressedBy: undefined, streak: 0, foundPercent: 0 }
export const calmState: ThrottleState = { samples: 0, gauges: { cpu: calm, memory: calm } }

export function limitOf(reason: ThrottleReason, settings: ThrottleSettings): number {
  return reason === 'cpu' ? settings.cpuPercent : settings.memoryPercent
}

export function lowerBoundOf(reason: ThrottleReason, settings: ThrottleSettings): number {
  const limit = limitOf(reason, settings)
  return limit - Math.min(returnGaps[reason], limit / 2)
}

/** The state after one more sample. */
export function observe(
  { samples, gauges }: ThrottleState,
  load: LoadMeasure,
  settings: ThrottleSettings,
): ThrottleState {
  const sample = samples + 1
  const next = (reason: ThrottleReason, found: number | undefined): Gauge =>
    step(gauges[reason], sample, found, limitOf(reason, settings), lowerBoundOf(reason, settings))
  return {
    samples: sample,
    gauges: { cpu: next('cpu', load.cpuPercent), memory: next('memory', load.memoryPercent) },
  }
}

/** Why jobs are held; undefined: they are not. */
export function reasonOf({ gauges: { cpu, memory } }: ThrottleState): ThrottleReason | undefined {
  if (cpu.pressedBy === undefined) return memory.pressedBy === undefined ? undefined : 'memory'
  return memory.pressedBy !== undefined && memory.pressedBy < cpu.pressedBy ? 'memory' : 'cpu'
}

function step(
  gauge: Gauge,
  sample: number,
  found: number | undefined,
  limit: number,
  lowerBound: number,
): Gauge {
  const foundPercent = found ?? 0
  const isPressed = gauge.pressedBy !== undefined
  const speaksForChange = isPressed ? foundPercent < lowerBound : foundPercent > limit
  const streak = speaksForChange ? gauge.streak + 1 : 0
  if (streak < (isPressed ? samplesToCalm : samplesToPress)) return { ...gauge, streak, foundPercent }
  return { pressedBy: isPressed ? undefined : sample, streak: 0, foundPercent }
}
