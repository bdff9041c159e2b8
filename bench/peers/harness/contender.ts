/** What each contender has to be able to do, so that the same work can be given to all. */

export interface PeerJob {
  readonly kind: JobKind
  readonly payload: PeerPayload
}

/** What the jobs do: nothing, hash, say when they began, or wait for 20 ms. */
export type JobKind = 'NO_OP' | 'HASH' | 'STAMP' | 'NAP'

export interface PeerPayload {
  readonly n: number
  readonly rounds?: number
  /** What the hash must be. */
  readonly digest?: string
}

/** `none`: the contender stores nothing. */
export type PeerDurability = 'process' | 'power' | 'none'

export interface OpenSettings {
  /** Empty, on the disk that is measured. */
  readonly folder: string
  /** Where the server of its own listens, if it needs one. */
  readonly port: number | undefined
  readonly durability: PeerDurability
  readonly cores: number
  /** The only kind of job that will come. */
  readonly kind: JobKind
  /** False: jobs are only to be queued, and none is to run. */
  readonly runsJobs: boolean
}

/** How jobs are handed over: one by one with so many calls unanswered, or so many a call with so many calls unanswered. */
export type Way =
  | { readonly calls: 'single'; readonly window: number }
  | { readonly calls: 'bulk'; readonly jobs: number; readonly window: number }

/** What is recorded in the contender's own store. */
export interface StoreCount {
  /** Not begun, or begun and not completed. */
  readonly open: number
  /** `removed`: the store deletes what is completed. */
  readonly completed: number | 'removed'
}

/** A contender, open in the process of one trial. */
export interface Contender {
  /** How its bulk call is best used. */
  readonly bulk: Extract<Way, { readonly calls: 'bulk' }>
  /** How it is best given many jobs while it runs them. */
  readonly whileRunning: Way
  /** One call for one job; resolves once it is acknowledged. */
  enqueue(job: PeerJob): Promise<unknown>
  /** The bulk call, or as near as there is. */
  enqueueMany(jobs: readonly PeerJob[]): Promise<unknown>
  /** By the nearest that there is to "of this subject only the latest matters". */
  enqueueLatest?(subject: string, job: PeerJob): Promise<unknown>
  /** The same in bulk, where that is faster; a subject comes at most once a call. */
  enqueueLatestMany?(jobs: readonly { readonly subject: string; readonly job: PeerJob }[]): Promise<unknown>
  /** Begins to run jobs; ready to run at once when this resolves. */
  startWorkers(): Promise<void>
  /** Resolves when all of so many jobs, counted from the opening on, are completed and recorded as that. */
  completed(jobs: number): Promise<void>
  /** Stops everything, and says what the store holds. */
  close(): Promise<StoreCount>
}

/** What the module of a contender exports. */
export interface ContenderModule {
  open(settings: OpenSettings): Promise<Contender>
}
