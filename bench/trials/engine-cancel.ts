import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import type { Durability } from '../../src/config.ts'
import { Engine } from '../../src/index.ts'
import type { Measurement } from '../trials.ts'
import workload, { type CancelMark, cancelChannel, deafGraceMs } from '../workload.ts'

export interface CancelParameters {
  /** Empty; removed by the parent. */
  readonly folder: string
  readonly durability: Durability
  readonly threads: number
  /** How many loops that look at the flag are cancelled, one after the other, and how many that do not. */
  readonly polling: number
  readonly deaf: number
}

export interface CancelMeasurement extends Measurement {
  /** From the call of `cancel` until the handler saw the flag, for each. */
  readonly sawMs: readonly number[]
  /** From the call until the job had ended, beyond its grace, for each. */
  readonly endedLateMs: readonly number[]
}

/** Handlers in synchronous loops are cancelled one by one, while nothing else is to be done. */
export async function run(parameters: CancelParameters): Promise<CancelMeasurement> {
  const { folder, durability, threads, polling, deaf } = parameters
  const database = join(folder, 'engine.db')
  await using engine = await Engine.start({
    jobs: workload,
    database,
    durability,
    threads,
    logLevel: 'silent',
  })
  const marks = listen()
  const startMs = systemClock.monotonicMs()
  const sawMs: number[] = []
  for (let round = 0; round < polling; round++) {
    const job = await engine.enqueue('POLL')
    await marks.next('began', job.id)
    const calledMs = systemClock.monotonicMs()
    await engine.cancel(job.id)
    sawMs.push((await marks.next('saw', job.id)).atMs - calledMs)
    await job.result().catch(() => {})
  }
  const endedLateMs: number[] = []
  for (let round = 0; round < deaf; round++) {
    const job = await engine.enqueue('DEAF')
    await marks.next('began', job.id)
    const calledMs = systemClock.monotonicMs()
    await engine.cancel(job.id)
    await job.result().catch(() => {})
    endedLateMs.push(systemClock.monotonicMs() - calledMs - deafGraceMs)
  }
  marks.close()
  return { units: polling + deaf, elapsedMs: systemClock.monotonicMs() - startMs, sawMs, endedLateMs }
}

/** What the handlers tell. Each mark is asked for once. */
function listen() {
  const channel = new BroadcastChannel(cancelChannel)
  const nameOf = (kind: CancelMark['kind'], jobId: string) => `${kind} ${jobId}`
  const come = new Map<string, PromiseWithResolvers<CancelMark>>()
  const placeOf = (name: string): PromiseWithResolvers<CancelMark> => {
    let place = come.get(name)
    if (place === undefined) {
      place = Promise.withResolvers<CancelMark>()
      come.set(name, place)
    }
    return place
  }
  channel.onmessage = (event) => {
    // The boundary where what a handler told gets its type.
    const mark = (event as MessageEvent).data as CancelMark
    placeOf(nameOf(mark.kind, mark.jobId)).resolve(mark)
  }
  return {
    next: (kind: CancelMark['kind'], jobId: string) => placeOf(nameOf(kind, jobId)).promise,
    close: () => channel.close(),
  }
}
