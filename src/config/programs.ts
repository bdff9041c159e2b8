import { availableParallelism } from 'node:os'
import type { OptionFor } from './option.ts'

/** How jobs that are programs run, as far as it can be set from outside of the program that embeds the engine. */
export interface ProgramLimits {
  /** Programs that run at a time, 1 to 1,000; further ones wait for their turn. Default: the cores that this process may use. `SEMANTICA_SUBPROCESS_CONCURRENCY` */
  readonly concurrency: number
  /** Bytes of each output that are kept for each job, 4,096 to 100,000,000: the newest. Default 1,000,000. `SEMANTICA_SUBPROCESS_OUTPUT_BYTES` */
  readonly outputBytes: number
  /**
   * Names of variables of the engine's environment that programs get; one that ends in `*` stands for all that begin so.
   * Default: PATH, HOME, LANG, LC_*, TZ, TMPDIR, USER, SHELL. `SEMANTICA_SUBPROCESS_ALLOWED_ENV`, separated by commas.
   */
  readonly allowedEnv: readonly string[]
}

/** What every program may know. */
export const defaultAllowedEnv = ['PATH', 'HOME', 'LANG', 'LC_*', 'TZ', 'TMPDIR', 'USER', 'SHELL']

export const programOptions = {
  concurrency: {
    kind: 'number',
    variable: 'SEMANTICA_SUBPROCESS_CONCURRENCY',
    minimum: 1,
    maximum: 1_000,
    fallback: availableParallelism,
    fallbackText: 'cores',
    meaning: 'programs that run at a time; the others wait for their turn, which takes no thread',
  },
  outputBytes: {
    kind: 'number',
    variable: 'SEMANTICA_SUBPROCESS_OUTPUT_BYTES',
    minimum: 4_096,
    maximum: 100_000_000,
    fallback: () => 1_000_000,
    meaning: 'how much of stdout and of stderr is kept for each job, in bytes',
  },
  allowedEnv: {
    kind: 'names',
    variable: 'SEMANTICA_SUBPROCESS_ALLOWED_ENV',
    fallback: (): readonly string[] => defaultAllowedEnv,
    fallbackText: '`PATH,HOME,LANG,LC_*,TZ,TMPDIR,USER,SHELL`',
    meaning:
      "what programs get of the engine's environment, beside the `env` of their job; in a variable separated by commas",
  },
} as const satisfies { readonly [Name in keyof ProgramLimits]: OptionFor<ProgramLimits[Name]> }
