import { defineActor } from '../actor/define.ts'
import type { SubprocessMessage } from '../job/program.ts'
import type { Runs } from './runs.ts'

export interface SubprocessesOptions {
  /** Path of the job database, beside which the actor keeps its own file and the programs' outputs. */
  readonly database: string
  /** Programs that run at a time. */
  readonly concurrency: number
  readonly allowedEnv: readonly string[]
  /** Of each output of each job, kept in a file. */
  readonly outputBytes: number
}

/**
 * The actor that starts programs, one for each job that is one, and sees to it that nothing is left of them: not after
 * their end, not after the end of the thread that asked for them, and not after the death of the engine.
 */
// biome-ignore lint/style/noDefaultExport: the actor's thread imports it
export default defineActor(import.meta.url, {
  async start(options: SubprocessesOptions): Promise<Runs> {
    // Whoever only names the actor need not load what it needs.
    const loaded = await import('./runs.ts')
    return loaded.Runs.start(options)
  },
  receive: (messages: readonly SubprocessMessage[], runs, askers) =>
    messages.map((message, index) => runs.receive(message, askers[index] ?? AbortSignal.abort())),
  stop: (runs) => runs.stop(),
})
