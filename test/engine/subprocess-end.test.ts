/** Jobs that are programs: how they end, and that nothing is left of them. Real processes, found by their arguments. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { readBootId, readProcess } from '../../src/store/process-facts.ts'
import { ProcessFile, type ProcessRow } from '../../src/store/process-file.ts'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'
import { livingWith, uniqueSeconds, useVoices, type Voices } from './program-voices.ts'

const engines = useEngines()
const voices = useVoices()
const strangers: ChildProcess[] = []
afterEach(async () => {
  for (const stranger of strangers.splice(0)) {
    if (stranger.exitCode !== null || stranger.signalCode !== null) continue
    stranger.kill('SIGKILL')
    await once(stranger, 'exit')
  }
})

/** A script that sleeps for so many seconds, in itself and in children, after it said `up`; and its surroundings. */
function sleeper(seconds: string, voice: Voices, before = '') {
  const script = `${before} sleep ${seconds} & setsid sleep ${seconds} & echo up > "$VOICE"; sleep ${seconds}; wait`
  return { args: [script], env: { VOICE: voice.path } }
}

test('what a program leaves running is ended with it, in whatever session', async () => {
  const engine = await openPrograms(engines)
  const voice = voices.hear(engines.pathOf('voice'))
  const seconds = uniqueSeconds()
  const script = `sleep ${seconds} & setsid sleep ${seconds} & env -i sleep ${seconds} & (setsid sh -c 'trap "" TERM; echo up > "$VOICE"; sleep ${seconds}' &)
    read -r _ < "$GATE"`
  const gate = engines.pathOf('gate')
  execFileSync('mkfifo', [gate])
  const job = await engine.enqueue('SHELL', { args: [script], env: { VOICE: voice.path, GATE: gate } })
  await voice.said('up')
  expect(livingWith(seconds).length).toBeGreaterThanOrEqual(1)
  await writeFile(gate, 'go\n')
  // Its outputs are still open in those that it left behind.
  expect(await job.result()).toMatchObject({ exitCode: 0 })
  expect(livingWith(seconds)).toEqual([])
})

test('over its time limit the whole group gets SIGTERM, and SIGKILL after the grace', async () => {
  const engine = await openPrograms(engines)
  const voice = voices.hear(engines.pathOf('voice'))
  const seconds = uniqueSeconds()
  const deaf = `trap 'echo term > "$VOICE"' TERM; (trap 'echo child > "$VOICE"' TERM; while :; do sleep ${seconds}; done) &`
  const script = `${deaf} echo up > "$VOICE"; while :; do wait; done`
  const job = await engine.enqueue(
    'SHELL',
    { args: [script], env: { VOICE: voice.path } },
    { timeoutMs: 1_000, retry: { maxAttempts: 1 } },
  )
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.details).toMatchObject({ cause: 'TIMED_OUT' })
  expect(error.cause).toMatchObject({ code: 'SUBPROCESS_FAILED', details: { signal: 'SIGKILL' } })
  expect(voice.lines).toEqual(expect.arrayContaining(['term', 'child']))
  expect(livingWith(seconds)).toEqual([])
  expect((await engine.stats()).threads.ready).toBe(1)
})

test('one that gives way at its time limit has timed out all the same, and its children have their grace', async () => {
  const engine = await openPrograms(engines)
  const voice = voices.hear(engines.pathOf('voice'))
  const child = `trap 'sleep 0.2; echo cleaned > "$VOICE"; exit' TERM; echo up > "$VOICE"; while :; do sleep 0.05; done`
  const job = await engine.enqueue(
    'PATIENT',
    { args: [`trap 'exit 0' TERM; (${child}) & wait`], env: { VOICE: voice.path } },
    { timeoutMs: 1_500, retry: { maxAttempts: 1 } },
  )
  const error = await rejectionOf(job.result(), 'JOB_FAILED')
  expect(error.details).toMatchObject({ cause: 'TIMED_OUT' })
  expect(voice.lines).toEqual(['up', 'cleaned'])
})

test('a cancelled program is ended, and one that waits for its turn never begins', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const voice = voices.hear(engines.pathOf('voice'))
  const seconds = uniqueSeconds()
  const running = await engine.enqueue('SHELL', sleeper(seconds, voice))
  await voice.said('up')
  const waiting = await engine.enqueue('SHELL', {
    args: ['echo began > "$VOICE"'],
    env: { VOICE: voice.path },
  })
  expect(await engine.cancel(waiting.id)).toBe('cancelled')
  await rejectionOf(waiting.result(), 'JOB_CANCELLED')
  expect(livingWith(seconds)).toHaveLength(3)
  expect(await engine.cancel(running.id)).toBe('cancelled')
  await rejectionOf(running.result(), 'JOB_CANCELLED')
  expect(livingWith(seconds)).toEqual([])
  expect(await (await engine.enqueue('SHELL', { args: ['echo next'] })).result()).toMatchObject({
    stdoutTail: 'next\n',
  })
  expect(voice.lines).toEqual(['up'])
})

test('a newer generation waits until nothing is left of the older one', async () => {
  const engine = await openPrograms(engines, { concurrency: 4 })
  const voice = voices.hear(engines.pathOf('voice'))
  const seconds = uniqueSeconds()
  const older = await engine.enqueue('SHELL', sleeper(seconds, voice, 'trap "" TERM;'), { subjectKey: 's' })
  await voice.said('up')
  const newer = await engine.enqueue(
    'SHELL',
    { args: [`pgrep -fc '^sleep ${seconds}'; true`] },
    { subjectKey: 's' },
  )
  await rejectionOf(older.result(), 'SUPERSEDED')
  expect(await newer.result()).toMatchObject({ stdoutTail: '0\n' })
})

test('a program whose thread dies is ended, and runs again uncharged', async () => {
  const engine = await openPrograms(engines)
  const voice = voices.hear(engines.pathOf('voice'))
  const seconds = uniqueSeconds()
  const script = `if [ "$SEMANTICA_ATTEMPT" = 1 ]; then sleep ${seconds} & echo up > "$VOICE"; trap "" TERM; sleep ${seconds}; fi; pgrep -fc '^sleep ${seconds}'; true`
  const job = await engine.enqueue('PATIENT', { args: [script], env: { VOICE: voice.path } })
  await voice.said('up')
  const culprit = await engine.enqueue('EXIT')
  expect(await job.result()).toMatchObject({ stdoutTail: '0\n' })
  const details = await engine.get(job.id)
  expect(details).toMatchObject({ failures: 0, failedAttempts: [] })
  expect(details?.attempt).toBeGreaterThan(1)
  // Though it shared its thread with the program, there is no doubt whose fault it was.
  await rejectionOf(culprit.result(), 'JOB_FAILED')
  const causes = (await engine.get(culprit.id))?.failedAttempts.map(({ cause }) => cause)
  expect(causes).toEqual(['EXITED', 'EXITED'])
})

test.each([
  ['within its grace', 10_000, true],
  ['after its grace', 0, false],
])('a stop ends programs %s and puts them back', async (_when, graceMs, graceful) => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const voice = voices.hear(engines.pathOf('voice'))
  const seconds = uniqueSeconds()
  const first = sleeper(seconds, voice)
  const script = `if [ "$SEMANTICA_ATTEMPT" = 1 ]; then ${first.args[0]}; fi; echo again`
  const job = await engine.enqueue('PATIENT', { ...first, args: [script] })
  await voice.said('up')
  const behind = await engine.enqueue('SHELL', { args: ['echo behind'] })
  expect(await engine.stop({ graceMs })).toMatchObject({ graceful })
  expect(livingWith(seconds)).toEqual([])
  // Nothing is left to look for.
  expect(existsSync(engines.pathOf('tasks.db-processes.db'))).toBe(false)
  const next = await openPrograms(engines)
  await next.idle()
  expect(await next.get(job.id)).toMatchObject({ state: 'DONE', result: { stdoutTail: 'again\n' } })
  expect(await next.get(behind.id)).toMatchObject({ state: 'DONE', failures: 0 })
})

/** What is written down of a program that leads its group. */
function rowOf(pid: number): ProcessRow {
  const startTicks = readProcess(pid)?.startTicks ?? 0
  const group = { processGroup: pid, session: pid }
  return { runId: `run ${pid}`, pid, bootId: readBootId(), startTicks, ...group, seenTicks: startTicks }
}

test.each([
  ['one that began before it was last seen is ended', 1, true],
  ['one that may be a stranger with its number is left alone', 0, false],
])('of the group of a program that has ended since, %s', async (_what, laterTicks, isEnded) => {
  // Who cleans its environment, and has its number from a process that has ended since, is known by its session alone.
  const leader = spawn('/bin/sh', ['-c', `env -i sleep ${uniqueSeconds()} & echo $!; read -r line`], {
    detached: true,
  })
  strangers.push(leader)
  const [text] = await once(leader.stdout.setEncoding('utf8'), 'data')
  const child = Number(text)
  const childTicks = readProcess(child)?.startTicks ?? 0
  const row = { ...rowOf(leader.pid ?? 0), seenTicks: childTicks + laterTicks }
  leader.kill('SIGKILL')
  await once(leader, 'exit')
  const file = new ProcessFile(engines.pathOf('tasks.db'))
  file.add(row)
  file.close()
  try {
    const engine = await openPrograms(engines)
    await engine.stop()
    expect(readProcess(child)?.isDead ?? true).toBe(isEnded)
  } finally {
    if (readProcess(child)?.isDead === false) process.kill(child, 'SIGKILL')
  }
})

test('at the start what an engine left running is ended, and no stranger with its number', async () => {
  const begin = (env: Record<string, string> = {}): Promise<ProcessRow & { readonly child: ChildProcess }> =>
    new Promise((resolve) => {
      const child = spawn('sleep', [uniqueSeconds()], { detached: true, env: { ...process.env, ...env } })
      strangers.push(child)
      child.once('spawn', () => {
        const { pid = 0 } = child
        resolve({ ...rowOf(pid), runId: `run ${pid}`, child })
      })
    })
  const left = await begin()
  const marked = await begin({ SEMANTICA_RUN_ID: 'marked' })
  const recycled = await begin()
  const otherBoot = await begin({ SEMANTICA_RUN_ID: 'other boot' })
  const unrelated = await begin({ SEMANTICA_RUN_ID: 'unrelated' })
  const file = new ProcessFile(engines.pathOf('tasks.db'))
  for (const { child: _, ...row } of [
    left,
    // Its leader is gone long since, and its group with it.
    { ...marked, runId: 'marked', pid: 4_000_000, processGroup: 4_000_000, session: 4_000_000 },
    { ...recycled, startTicks: recycled.startTicks - 1 },
    { ...otherBoot, runId: 'other boot', bootId: 'other' },
  ])
    file.add(row)
  file.close()
  const engine = await openPrograms(engines)
  await Promise.all(
    [left, marked].map(
      ({ child }) => child.signalCode ?? new Promise((resolve) => child.once('exit', resolve)),
    ),
  )
  expect([left, marked].map(({ child }) => child.signalCode)).toEqual(['SIGKILL', 'SIGKILL'])
  for (const { child } of [recycled, otherBoot, unrelated]) expect(child.signalCode).toBeNull()
  await engine.stop()
  for (const { pid } of [recycled, otherBoot, unrelated]) expect(readProcess(pid)?.isDead).toBe(false)
})

test('an engine without programs ends what one before it has left', async () => {
  const file = new ProcessFile(engines.pathOf('tasks.db'))
  const child = spawn('sleep', [uniqueSeconds()], { detached: true })
  strangers.push(child)
  await once(child, 'spawn')
  const { pid = 0 } = child
  file.add(rowOf(pid))
  file.close()
  const exited = once(child, 'exit')
  await engines.open()
  expect(await exited).toEqual([null, 'SIGKILL'])
})
