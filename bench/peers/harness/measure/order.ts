import type { Contender, StoreCount } from '../contender.ts'

/** What a trial is told beside its contender. */
export interface MeasureSettings {
  readonly isSmoke: boolean
  readonly cores: number
  /** The hashing that each job of `cpu` is to do, measured once for all contenders of a round. */
  readonly hash: HashJob
  /** The server's first process, if there is one. */
  readonly serverPid: number | undefined
}

export interface HashJob {
  readonly rounds: number
  readonly digest: string
  /** How long that takes on one thread with nothing beside it. */
  readonly jobMs: number
}

/** What came out, by the key of the metric. */
export type Measured = Readonly<Record<string, number>>

export type Measure = (contender: Contender, settings: MeasureSettings) => Promise<Measured>

/** @throws when the store does not hold what it must */
export function checkCount(
  counts: StoreCount,
  { open, completed }: { open: number; completed: number },
): void {
  const isRight = counts.open === open && (counts.completed === 'removed' || counts.completed === completed)
  if (isRight) return
  throw new Error(
    `The store holds ${counts.open} open and ${counts.completed} completed jobs, not ${open} and ${completed}`,
  )
}
