import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { HostSettings } from '../fixtures/crash/host-messages.ts'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()

/** Runs a program with a small disk of its own on a folder: in a mount namespace, which ends with the program. */
function onSmallDisk(unshare: string, folder: string): string[] {
  return ['unshare', unshare, 'bash', '-c', 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"', folder]
}

/** What lets this user have such a namespace; undefined: nothing does. */
const unshare = ['-m', '-Urm'].find((option) => {
  const [program = '', ...rest] = onSmallDisk(option, '/tmp')
  return spawnSync(program, [...rest, 'true']).status === 0
})

interface SmallDisk {
  readonly host: EngineProcess
  /** Takes all of its room. */
  fill(): Promise<unknown>
  free(): Promise<unknown>
}

async function openOnSmallDisk(more: Partial<HostSettings> = {}): Promise<SmallDisk> {
  const folder = place.pathOf('disk')
  mkdirSync(folder)
  const settings = { database: `${folder}/tasks.db`, threads: 2, ...more }
  const host = EngineProcess.host(settings, onSmallDisk(unshare ?? '', folder))
  await host.line('ready')
  const path = `${folder}/ballast`
  return {
    host,
    fill: () => host.ask({ kind: 'fill', path }),
    free: () => host.ask({ kind: 'free', path }),
  }
}

/** Enqueues until there is no room; gives the ids of what was acknowledged, and the refusal. */
async function enqueueUntilRefused(host: EngineProcess): Promise<[acknowledged: string[], refusal: unknown]> {
  const acknowledged: string[] = []
  for (;;) {
    try {
      acknowledged.push(await host.enqueue('STEP', { number: 0, ballast: 'x'.repeat(100_000) }))
    } catch (error) {
      return [acknowledged, error]
    }
  }
}

async function startGated(host: EngineProcess): Promise<[succeeds: string, fails: string]> {
  const succeeds = await host.enqueue('GATED', { number: 7 })
  const fails = await host.enqueue('GATED', { number: 8, fatal: true })
  await Promise.all([succeeds, fails].map((id) => host.line(`started ${id}`)))
  return [succeeds, fails]
}

test.skipIf(unshare === undefined)(
  'a full disk refuses new jobs, keeps outcomes, and loses nothing (needs a mount namespace)',
  async () => {
    const { host, fill, free } = await openOnSmallDisk()
    await using full = host
    const [succeeds, fails] = await startGated(full)
    const waiting = await full.enqueue('STEP', { number: 1 })
    await fill()
    const [acknowledged, refusal] = await enqueueUntilRefused(full)
    expect(refusal).toMatchObject({ code: 'DISK_FULL', retryable: true })
    await expect(full.ask({ kind: 'cancel', jobId: waiting })).rejects.toMatchObject({ code: 'DISK_FULL' })
    await full.line('commit-failed DISK_FULL')
    await full.ask({ kind: 'release' })
    // The first was for the jobs that were refused; this one is for the outcomes.
    await full.line('commit-failed DISK_FULL', 2)
    expect(full.journal).not.toContainEqual(expect.stringMatching(/^(?:reported|settled)/))
    expect(await full.ask({ kind: 'get', jobId: succeeds })).toMatchObject({ state: 'RUNNING' })

    await free()
    await full.line(`reported ${succeeds} DONE`)
    await full.line(`reported ${fails} JOB_FAILED`)
    const later = await full.enqueue('STEP', { number: 2 })
    await full.ask({ kind: 'idle' })
    for (const jobId of [succeeds, waiting, ...acknowledged, later]) {
      expect(await full.ask({ kind: 'get', jobId })).toMatchObject({ state: 'DONE', attempt: 1 })
      expect(full.journal.filter((line) => line.startsWith(`started ${jobId} `))).toHaveLength(1)
    }
    expect(await full.ask({ kind: 'get', jobId: fails })).toMatchObject({
      state: 'FAILED',
      causes: ['THREW'],
    })
    await full.ask({ kind: 'stop', graceMs: 1_000 })
    expect(await full.ask({ kind: 'check' })).toEqual([])
    await full.leave()
  },
)

test.skipIf(unshare === undefined)(
  'an engine stops on a full disk, and leaves a sound database (needs a mount namespace)',
  async () => {
    const { host, fill, free } = await openOnSmallDisk()
    await using full = host
    const [succeeds] = await startGated(full)
    await fill()
    const [, refusal] = await enqueueUntilRefused(full)
    expect(refusal).toMatchObject({ code: 'DISK_FULL' })
    await full.ask({ kind: 'release' })
    expect(await full.ask({ kind: 'stop', graceMs: 0 })).toMatchObject({ graceful: false })
    await free()
    expect(await full.ask({ kind: 'check' })).toEqual([])
    expect(full.journal).not.toContain(`reported ${succeeds} DONE`)
    await full.leave()
  },
)

test.skipIf(unshare === undefined)(
  'a full disk for the files of jobs fails neither them nor others, and is told (needs a mount namespace)',
  async () => {
    const database = place.pathOf('tasks.db')
    const folder = `${database}-files`
    mkdirSync(folder)
    await using host = EngineProcess.host({ database, threads: 2 }, onSmallDisk(unshare ?? '', folder))
    await host.line('ready')
    const path = `${folder}/ballast`
    await host.ask({ kind: 'fill', path })
    const cramped = await host.enqueue('LEAVES_FILES')
    await host.line(`artifact ${cramped} ARTIFACT_FAILED`)
    await host.line(`log failed ${cramped}`)
    await host.line(`reported ${cramped} DONE`)
    await host.ask({ kind: 'free', path })
    const roomy = await host.enqueue('LEAVES_FILES')
    await host.line(`artifact ${roomy} kept`)
    await host.line(`reported ${roomy} DONE`)
    expect(host.journal).not.toContain(`log failed ${roomy}`)
    await host.ask({ kind: 'stop', graceMs: 1_000 })
    await host.leave()
    expect(checkDatabase(database)).toEqual([])
  },
)

test.skipIf(unshare === undefined)(
  'a disk that is full when jobs are pruned is told, and the queue runs on (needs a mount namespace)',
  async () => {
    const { host, fill, free } = await openOnSmallDisk({
      threads: 3,
      maintenance: { retentionDays: 0, compactFreePercent: 1 },
    })
    await using full = host
    const [running] = await startGated(full)
    const finished: string[] = []
    for (let number = 0; number < 8; number++)
      finished.push(await full.enqueue('STEP', { number, ballast: 'x'.repeat(100_000) }))
    await Promise.all(finished.map((id) => full.line(`reported ${id} DONE`)))
    await fill()
    await expect(full.ask({ kind: 'maintain' })).rejects.toMatchObject({ code: 'DISK_FULL' })
    await full.line('maintenance-failed prune-jobs DISK_FULL')
    expect(await full.ask({ kind: 'get', jobId: finished[0] ?? '' })).toMatchObject({ state: 'DONE' })

    await free()
    await full.ask({ kind: 'release' })
    await full.line(`reported ${running} DONE`)
    const later = await full.enqueue('STEP', { number: 9 })
    await full.line(`reported ${later} DONE`)
    expect(await full.ask({ kind: 'maintain' })).toMatchObject({ deletedJobs: finished.length + 3 })
    await full.ask({ kind: 'stop', graceMs: 1_000 })
    expect(await full.ask({ kind: 'check' })).toEqual([])
    await full.leave()
  },
)

test('a file that may not grow refuses new jobs, and a kill then loses nothing', async () => {
  const database = place.pathOf('tasks.db')
  // 1,000 blocks of 1,024 bytes for each file: enough for the database as it is made, and for the first jobs.
  const limited = ['bash', '-c', 'ulimit -S -f 1000 && exec "$0" "$@"']
  await using full = EngineProcess.host({ database, threads: 2 }, limited)
  await full.line('ready')
  const [succeeds, fails] = await startGated(full)
  const [acknowledged, refusal] = await enqueueUntilRefused(full)
  expect(refusal).toMatchObject({ code: expect.stringMatching(/^(?:DISK_FULL|DATABASE_FAILED)$/) })
  await full.line('commit-failed DATABASE_FAILED')
  // Whether these outcomes are recorded depends on the few pages that may be left.
  await full.ask({ kind: 'release' })
  await full.kill()
  expect(checkDatabase(database)).toEqual([])

  await using next = EngineProcess.host({ database, threads: 2 })
  await next.comeToRest()
  const reported = full.journal
    .filter((line) => line.startsWith('reported '))
    .map((line) => line.split(' ')[1])
  for (const id of reported)
    expect(next.journal).not.toContainEqual(expect.stringContaining(`started ${id} `))
  await next.leave()
  expect(checkDatabase(database)).toEqual([])
  const stored = readJobs(database)
  const states = [succeeds, fails, ...acknowledged].map((id) => stored.get(id)?.state)
  expect(states).toEqual(['DONE', 'FAILED', ...acknowledged.map(() => 'DONE')])
  expect(stored.size).toBe(states.length)
})
