/** Has a trial run in a process of its own, so that nothing of an earlier one helps or burdens it. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Measured, MeasureSettings } from './measure/order.ts'
import type { ContenderName } from './registry.ts'
import type { WorkName } from './works.ts'

export interface PeerTrialOrder {
  readonly name: ContenderName
  readonly work: WorkName
  readonly folder: string
  readonly port: number | undefined
  readonly settings: MeasureSettings
}

export type PeerTrialReport =
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'failed'; readonly reason: string }

/** A trial that hangs is ended: the others are still to come. */
const trialLimitMs = 60_000

const running = new Set<ChildProcess>()

export function killTrials(): void {
  for (const child of running) child.kill('SIGKILL')
}

export async function runPeerTrial(order: PeerTrialOrder): Promise<PeerTrialReport> {
  const child = fork(fileURLToPath(new URL('./trial.ts', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  running.add(child)
  const ended = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), trialLimitMs)
  const reports: PeerTrialReport[] = []
  let said = ''
  // The boundary where the child's report gets its type.
  child.on('message', (message) => reports.push(message as PeerTrialReport))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000)
  })
  child.send(order)
  const [code, signal] = await ended
  clearTimeout(timer)
  running.delete(child)
  const [report] = reports
  return (
    report ?? { kind: 'failed', reason: `It said nothing and ended with ${signal ?? code}. ${said}`.trim() }
  )
}
