/** The process of one trial: it is told what to run, runs it, says what came out, and ends. */
import { type Measurement, type TrialOrder, type TrialReport, trials } from './trials.ts'

process.once('message', (message) => {
  // The boundary where the parent's order gets its type.
  void answer(message as TrialOrder)
})

async function answer(order: TrialOrder): Promise<void> {
  const report = await measure(order).catch(
    (error: unknown): TrialReport => ({
      kind: 'failed',
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  )
  process.send?.(report, () => process.disconnect())
}

async function measure({ name, parameters }: TrialOrder): Promise<TrialReport> {
  const trial = await trials[name]()
  // `runTrial` has checked that the parameters belong to the name; across the processes that is lost.
  const run = trial.run as (parameters: unknown) => Measurement | Promise<Measurement>
  return { kind: 'measured', measurement: await run(parameters) }
}
