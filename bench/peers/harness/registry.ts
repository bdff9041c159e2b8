/** The contenders: what they are, what they need, and how each is set up, in words for the report. */
import type { ContenderModule, PeerDurability } from './contender.ts'
import { type WorkName, workNames } from './works.ts'

export type ServerName = 'postgres' | 'redis'

export interface ContenderFacts {
  readonly title: string
  /** Whose version stands beside it. */
  readonly packageName: string
  readonly isInstalledWithPeers: boolean
  readonly server?: ServerName
  readonly durability: PeerDurability
  readonly works: readonly WorkName[]
  /** For the report: how it is set up, and where that comes from. */
  readonly setup: string
  load(): Promise<ContenderModule>
}

/** The peers' own packages need not be installed here: a path that is computed is loaded only when it is run. */
function loading(file: string): () => Promise<ContenderModule> {
  const url = new URL(`../contenders/${file}`, import.meta.url).href
  return async () => (await import(url)) as ContenderModule
}

const withoutSupersede = workNames.filter((name) => name !== 'supersede')

const ours = {
  packageName: 'semantica-task-engine',
  isInstalledWithPeers: false,
  works: workNames,
  load: loading('ours.ts'),
} as const

const bullmq = {
  packageName: 'bullmq',
  isInstalledWithPeers: true,
  server: 'redis',
  durability: 'process',
} as const

export const contenders = {
  'ours-process': {
    ...ours,
    title: 'SemanticaTask Engine',
    durability: 'process',
    setup:
      '`Engine.start` with one thread a core, all else at its defaults (`synchronous=NORMAL`). Jobs travel by `enqueue`, 2,000 unanswered. Where none is to run, its only thread is kept by a job that waits.',
  },
  'ours-power': {
    ...ours,
    title: 'SemanticaTask Engine',
    durability: 'power',
    setup: 'The same with `durability: "power"` (`synchronous=FULL`).',
  },
  plainjob: {
    title: 'plainjob',
    packageName: 'plainjob',
    isInstalledWithPeers: true,
    durability: 'process',
    works: withoutSupersede,
    setup:
      'One queue and one worker in the process, as its README shows (it sets WAL and `synchronous=NORMAL`); `addMany` of 1,000; no log; poll interval 1 ms instead of 1 s. It has no key that could supersede.',
    load: loading('plainjob.ts'),
  },
  'plainjob-processes': {
    title: 'plainjob, a process a core',
    packageName: 'plainjob',
    isInstalledWithPeers: true,
    durability: 'process',
    works: ['no-op', 'cpu', 'latency'],
    setup:
      'The same with the workers in forked processes, one a core: “Multi-process Workers” of its README, for high throughput.',
    load: loading('plainjob-processes.ts'),
  },
  'graphile-worker': {
    title: 'graphile-worker',
    packageName: 'graphile-worker',
    isInstalledWithPeers: true,
    server: 'postgres',
    durability: 'power',
    works: workNames,
    setup:
      'The settings of its page “Performance”: `concurrentJobs: 24`, `maxPoolSize: 25`, `localQueue: { size: 1000 }` (there 500; 25 for busy jobs), `completeJobBatchDelay: 0`, `failJobBatchDelay: 0`; `addJobs` of 1,000; LISTEN/NOTIFY. Supersede: `addJobs` of 100 with `jobKey` (which replaces) and `runAt` in 2 s, its way to debounce; no local queue, whose jobs are locked. Completed jobs are deleted, as always there.',
    load: loading('graphile-worker.ts'),
  },
  'pg-boss': {
    title: 'pg-boss',
    packageName: 'pg-boss',
    isInstalledWithPeers: true,
    server: 'postgres',
    durability: 'power',
    works: workNames,
    setup:
      '`work` with `batchSize` 1,000 (25 for busy jobs, 50 for `latency` and `supersede`), `localConcurrency: 2`, `burstWhenBatchFull`, and LISTEN/NOTIFY; `insert` of 1,000. Supersede: a `stately` queue and `upsert` with `singletonKey`.',
    load: loading('pg-boss.ts'),
  },
  bullmq: {
    ...bullmq,
    title: 'BullMQ',
    works: workNames,
    setup:
      'A processor in the process, `concurrency: 50`; `addBulk` of 500 to 1,000. Supersede: `deduplication` with `replace` and `keepLastIfActive`, delayed by 2 s, since only a delayed job is replaced, and what is merely waiting is kept.',
    load: loading('bullmq.ts'),
  },
  'bullmq-threads': {
    ...bullmq,
    title: 'BullMQ, sandboxed threads',
    works: ['no-op', 'cpu', 'latency'],
    setup: 'The processor is a file, run with `useWorkerThreads: true`, `concurrency` as many as cores.',
    load: loading('bullmq-threads.ts'),
  },
  piscina: {
    title: 'Piscina alone (stores nothing)',
    packageName: 'piscina',
    isInstalledWithPeers: false,
    durability: 'none',
    works: ['no-op', 'cpu'],
    setup:
      'A reference, not a peer: the bare thread pool, one thread a core, two tasks a thread. Nothing is stored, nothing survives.',
    load: loading('piscina.ts'),
  },
} as const satisfies Readonly<Record<string, ContenderFacts>>

export type ContenderName = keyof typeof contenders

// Object.keys forgets what the keys are.
export const contenderNames = Object.keys(contenders) as readonly ContenderName[]

export function factsOf(name: ContenderName): ContenderFacts {
  return contenders[name]
}
