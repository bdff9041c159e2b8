import type { OptionFor, SwitchOption } from './option.ts'

/** How much of what this process may use is taken, in percent; what is left out is not known, and holds nothing. */
export interface LoadMeasure {
  /** Of the CPU, by everything but this process. */
  readonly cpuPercent?: number | undefined
  /** Of the memory, by this process too. */
  readonly memoryPercent?: number | undefined
}

/** What of the throttle can be set from outside of the program too. */
export interface ThrottleLimits {
  /**
   * Taken CPU above which they are held, 1 to 100 (never). Twice in a row; they go on when it was below this by 15 points
   * (and by half of it at the most) three times in a row. Default 90. `SEMANTICA_THROTTLE_CPU_PERCENT`
   */
  readonly cpuPercent: number
  /** Taken memory, likewise; they go on below it by 5 points. Default 95. `SEMANTICA_THROTTLE_MEMORY_PERCENT` */
  readonly memoryPercent: number
  /** Jobs of a lower priority are held, -99 to 100. Default 0. `SEMANTICA_THROTTLE_BELOW_PRIORITY` */
  readonly belowPriority: number
  /** How often the load is measured, in milliseconds, 10 to 60,000, while there is something to run. Default 1,000. `SEMANTICA_THROTTLE_EVERY_MS` */
  readonly everyMs: number
}

/**
 * When jobs of low priority are held back: nothing more of them is begun while the machine is busy with other things, or
 * short of memory. Limits of control groups are respected.
 */
export interface ThrottleOptions extends Partial<ThrottleLimits> {
  /**
   * Your own measure in place of the engine's: for machines that tell nothing of themselves, or for another reason to
   * hold jobs, such as a battery. Called on the thread of the host. One that throws counts as not known, and so does one
   * that has not answered when the next is due, but for a second at least.
   */
  readonly measure?: () => LoadMeasure | Promise<LoadMeasure>
}

/** The effective options of the throttle. */
export interface ThrottleSettings extends ThrottleLimits {
  /** Whether the host is asked, instead of the machine. */
  readonly asksHost: boolean
}

export const throttleSwitch: SwitchOption = {
  kind: 'switch',
  holdsOptions: true,
  variable: 'SEMANTICA_THROTTLE',
  fallback: () => true,
  fallbackText: 'on',
  meaning: 'when jobs of low priority are held back, see [below](#throttling); `false` or `off`: never',
}

export const throttleOptions = {
  cpuPercent: {
    kind: 'number',
    variable: 'SEMANTICA_THROTTLE_CPU_PERCENT',
    minimum: 1,
    maximum: 100,
    fallback: () => 90,
    meaning: 'jobs are held while everything but this process takes more of the CPU (100: never)',
  },
  memoryPercent: {
    kind: 'number',
    variable: 'SEMANTICA_THROTTLE_MEMORY_PERCENT',
    minimum: 1,
    maximum: 100,
    fallback: () => 95,
    meaning: 'the same for memory that is not available, whoever took it (100: never)',
  },
  belowPriority: {
    kind: 'number',
    variable: 'SEMANTICA_THROTTLE_BELOW_PRIORITY',
    minimum: -99,
    maximum: 100,
    fallback: () => 0,
    meaning: 'which jobs are held: those of a lower priority',
  },
  everyMs: {
    kind: 'number',
    variable: 'SEMANTICA_THROTTLE_EVERY_MS',
    minimum: 10,
    maximum: 60_000,
    fallback: () => 1_000,
    meaning: 'how often it is measured, while there is something to run',
  },
} as const satisfies { readonly [Name in keyof ThrottleLimits]: OptionFor<ThrottleLimits[Name]> }
