/**
 * The trials, each loaded only in the process that runs it, and how a scenario has one run.
 *
 * Every trial has a process of its own, so that nothing of an earlier one (heap, optimised code, open files) helps or
 * burdens it. It takes the time itself, once it is warm, so that starting is not part of the figure.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a trial did, and how long that took. */
export interface Measurement {
  /** Jobs, or bytes. */
  readonly units: number
  readonly elapsedMs: number
  /** Definitions that were found, where there are any. */
  readonly symbols?: number
}

/** What an engine did, and what that meant for the program around it. */
export interface EngineMeasurement extends Measurement {
  /** The longest time for which the event loop of the host thread did not come round. */
  readonly longestStallMs: number
}

export const trials = {
  'bare-table': () => import('./trials/bare-table.ts'),
  'backlog-rows': () => import('./trials/backlog-rows.ts'),
  'claim-backlog': () => import('./trials/claim-backlog.ts'),
  'engine-backlog': () => import('./trials/engine-backlog.ts'),
  'engine-burst': () => import('./trials/engine-burst.ts'),
  'engine-cancel': () => import('./trials/engine-cancel.ts'),
  'engine-cancel-many': () => import('./trials/engine-cancel-many.ts'),
  'engine-enqueue': () => import('./trials/engine-enqueue.ts'),
  'engine-hash': () => import('./trials/engine-hash.ts'),
  'engine-latency': () => import('./trials/engine-latency.ts'),
  'engine-maintenance': () => import('./trials/engine-maintenance.ts'),
  'engine-no-op': () => import('./trials/engine-no-op.ts'),
  'engine-soak': () => import('./trials/engine-soak.ts'),
  'engine-start': () => import('./trials/engine-start.ts'),
  'engine-supersede': () => import('./trials/engine-supersede.ts'),
  'parse-only': () => import('./trials/parse-only.ts'),
  'piscina-hash': () => import('./trials/piscina-hash.ts'),
  'piscina-start': () => import('./trials/piscina-start.ts'),
  'product-inserts': () => import('./trials/product-inserts.ts'),
  'product-table': () => import('./trials/product-table.ts'),
} as const

type TrialName = keyof typeof trials
type RunOf<Name extends TrialName> = Awaited<ReturnType<(typeof trials)[Name]>>['run']
type ParametersOf<Name extends TrialName> = Parameters<RunOf<Name>>[0]
type MeasurementOf<Name extends TrialName> = Awaited<ReturnType<RunOf<Name>>>

export interface TrialOrder {
  readonly name: TrialName
  readonly parameters: unknown
}

export type TrialReport =
  | { readonly kind: 'measured'; readonly measurement: Measurement }
  | { readonly kind: 'failed'; readonly reason: string }

/** The process of a trial: from the sources. */
const entryPath = fileURLToPath(new URL('./trial.ts', import.meta.url))

interface TrialProcess {
  /** The process of a build, where a build is measured. */
  readonly entry?: string | undefined
  /** Descriptor of the file that its standard error goes to. */
  readonly stderr?: number | 'inherit'
  /** Options of Node itself. */
  readonly execArgv?: readonly string[]
}

/**
 * Runs a trial in a new process, which has ended when this resolves.
 *
 * @throws when the trial failed; a trial also fails when what it did is not what it should have done
 */
export async function runTrial<Name extends TrialName>(
  name: Name,
  parameters: ParametersOf<Name>,
  { entry = entryPath, stderr = 'inherit', execArgv = [] }: TrialProcess = {},
): Promise<MeasurementOf<Name>> {
  const child = fork(entry, {
    stdio: ['ignore', 'ignore', stderr, 'ipc'],
    execArgv: [...execArgv],
  })
  const ended = once(child, 'exit')
  const reports: TrialReport[] = []
  // The boundary where the child's report gets its type.
  child.on('message', (message) => reports.push(message as TrialReport))
  child.send({ name, parameters } satisfies TrialOrder)
  const [code, signal] = await ended
  const [report] = reports
  if (report === undefined) throw new Error(`The trial ${name} said nothing and ended with ${signal ?? code}`)
  if (report.kind === 'failed') throw new Error(`The trial ${name} failed: ${report.reason}`)
  // The report comes from the trial of this name.
  return report.measurement as MeasurementOf<Name>
}

/** Units a second. */
export function rateOf({ units, elapsedMs }: Measurement): number {
  return (units / elapsedMs) * 1_000
}
