/** The process of one trial: it opens one contender, gives it one work, says what came out, and ends. */
import { measures } from './measure/measures.ts'
import type { Measured } from './measure/order.ts'
import { factsOf } from './registry.ts'
import type { PeerTrialOrder, PeerTrialReport } from './run-trial.ts'
import { works } from './works.ts'

process.once('message', (message) => {
  // The boundary where the parent's order gets its type.
  void answer(message as PeerTrialOrder)
})

async function answer(order: PeerTrialOrder): Promise<void> {
  // Whoever ordered it is gone.
  process.once('disconnect', () => process.exit(1))
  const report = await measure(order).then(
    (measured): PeerTrialReport => ({ kind: 'measured', measured }),
    (error: unknown): PeerTrialReport => ({
      kind: 'failed',
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  )
  // Some contenders keep a timer or a connection that would hold the process; its work is done.
  process.send?.(report, () => process.exit(0))
}

async function measure({ name, work, folder, port, settings }: PeerTrialOrder): Promise<Measured> {
  const { load, durability } = factsOf(name)
  const { kind, runsJobs } = works[work]
  const contender = await (await load()).open({
    folder,
    port,
    durability,
    cores: settings.cores,
    kind,
    runsJobs,
  })
  return measures[work](contender, settings)
}
