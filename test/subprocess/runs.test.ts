/** What the actor that runs programs does with what several threads ask of it. Real processes. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import type { ProgramEnd, ProgramRequest } from '../../src/job/program.ts'
import { spawnBehindGate } from '../../src/subprocess/gate.ts'
import { Runs, type System } from '../../src/subprocess/runs.ts'
import { livingWith, uniqueSeconds, useVoices } from '../engine/program-voices.ts'
import { usePlace } from '../store/folder.ts'
import { useBlindness } from './blindness.ts'

const place = usePlace()
const voices = useVoices()
let opened: Runs | undefined
afterEach(() => opened?.stop())
// Ends first: a stop waits until it can be seen what is left.
const blindness = useBlindness()

async function open(concurrency = 2, system?: System): Promise<Runs> {
  const database = place.pathOf('tasks.db')
  opened = await Runs.start({ database, concurrency, allowedEnv: ['PATH'], outputBytes: 10_000 }, system)
  return opened
}

/** What is waited for longer than a second is over at once. */
const quickClock: Clock = {
  ...systemClock,
  startTimer: (delayMs, fire, hold) => systemClock.startTimer(delayMs > 1_000 ? 1 : delayMs, fire, hold),
}

/** Between two looks nobody waits. */
const restlessClock: Clock = {
  ...systemClock,
  startTimer: (delayMs, fire, hold) => systemClock.startTimer(delayMs > 100 ? delayMs : 0, fire, hold),
}

let lastRun = 0

/** A program, as a thread asks for it. */
function scriptOf(script: string, fields: Partial<ProgramRequest> = {}): ProgramRequest {
  const own = { command: '/bin/sh', args: ['-c', script], runId: `run ${++lastRun}`, jobId: `job ${lastRun}` }
  return { ...own, attempt: 1, subjectKey: undefined, generation: undefined, graceMs: 0, ...fields }
}

/** A thread of the pool, of which nobody says whether it lives. */
function threadOf(runs: Runs) {
  const controller = new AbortController()
  const { signal } = controller
  return {
    die: () => controller.abort(),
    giveUp: ({ runId }: ProgramRequest) => runs.receive({ kind: 'give-up', runId }, signal),
    start: (request: ProgramRequest) => runs.receive({ kind: 'start', request }, signal),
    wait: async ({ runId }: ProgramRequest) =>
      // The boundary: what is waited for answers so.
      (await runs.receive({ kind: 'wait', runId }, signal)) as ProgramEnd,
  }
}

test.each([
  ['job', { jobId: 'a' }, { jobId: 'a', attempt: 2 }],
  ['subject', { subjectKey: 's', generation: 1 }, { subjectKey: 's', generation: 2 }],
])('a newer run of a %s waits until nothing is left of the one before', async (_what, first, second) => {
  const runs = await open()
  const voice = voices.hear(place.pathOf('voice'))
  const seconds = uniqueSeconds()
  const older = scriptOf(`trap "" TERM; sleep ${seconds} & echo up > "$VOICE"; sleep ${seconds}; wait`, {
    ...first,
    env: { VOICE: voice.path },
  })
  const lost = threadOf(runs)
  await lost.start(older)
  await voice.said('up')
  const other = threadOf(runs)
  const newer = scriptOf(`pgrep -fc '^sleep ${seconds}'; true`, second)
  expect(await other.start(newer)).toEqual({ kind: 'begun' })
  expect(livingWith(seconds)).toEqual([])
  expect(await other.wait(newer)).toMatchObject({ exitCode: 0, stdoutTail: '0\n' })
})

test('a run that waits for its turn gives way to a newer one of its job, and a late one as well', async () => {
  const runs = await open(1)
  const voice = voices.hear(place.pathOf('voice'))
  const env = { VOICE: voice.path }
  const thread = threadOf(runs)
  const busy = scriptOf('echo up > "$VOICE"; read -r line < "$GATE"', {
    env: { ...env, GATE: voices.hear(place.pathOf('gate')).path },
  })
  await thread.start(busy)
  await voice.said('up')
  const starts = [1, 3, 2].map((attempt) =>
    threadOf(runs).start(scriptOf(`echo ${attempt} > "$VOICE"`, { jobId: 'a', attempt, env })),
  )
  expect(await starts[0]).toEqual({ kind: 'gave-way' })
  expect(await starts[2]).toEqual({ kind: 'gave-way' })
  runs.receive({ kind: 'end', runId: busy.runId }, new AbortController().signal)
  expect(await starts[1]).toEqual({ kind: 'begun' })
  await voice.said('3')
  expect(voice.lines).toEqual(['up', '3'])
})

test('a folder that cannot be made for a result fails that start alone, for now', async () => {
  const runs = await open()
  const folder = place.pathOf('tasks.db-files')
  mkdirSync(folder)
  writeFileSync(`${folder}/runs`, 'in the way')
  const thread = threadOf(runs)
  await expect(thread.start(scriptOf('true'))).rejects.toMatchObject({
    code: 'SUBPROCESS_FAILED',
    retryable: true,
    message: expect.stringContaining('The folder for the result of a program cannot be made'),
  })
  rmSync(`${folder}/runs`)
  expect(await thread.start(scriptOf('true'))).toEqual({ kind: 'begun' })
})

test('a program that the kernel does not let go of holds up nobody but its own job, and that not for ever', async () => {
  const letGo = Promise.withResolvers<void>()
  const runs = await open(1, {
    clock: quickClock,
    async spawn(begun) {
      const started = await spawnBehindGate(begun)
      if (begun.env.HANGS === undefined) return started
      return { ...started, exited: letGo.promise.then(() => started.exited) }
    },
  })
  const thread = threadOf(runs)
  await thread.start(scriptOf('exec sleep 1000', { jobId: 'a', env: { HANGS: '1' } }))
  thread.die()
  const other = threadOf(runs)
  const innocent = scriptOf('true')
  expect(await other.start(innocent)).toEqual({ kind: 'begun' })
  expect(await other.wait(innocent)).toMatchObject({ exitCode: 0 })
  await expect(other.start(scriptOf('true', { jobId: 'a', attempt: 2 }))).rejects.toMatchObject({
    code: 'SUBPROCESS_FAILED',
    retryable: true,
    message: expect.stringContaining('an earlier program of job a, or of its subject, has not ended'),
  })
  letGo.resolve()
  const last = scriptOf('true', { jobId: 'a', attempt: 3 })
  // It may still be late for this one, too.
  let reply: unknown
  while (reply === undefined) {
    const start = Promise.resolve(other.start({ ...last, runId: `run ${++lastRun}` }))
    reply = await start.catch(() => undefined)
  }
  expect(reply).toEqual({ kind: 'begun' })
})

test('one that hangs in the kernel fails its run some time after SIGKILL', async () => {
  const letGo = Promise.withResolvers<void>()
  const runs = await open(1, {
    clock: quickClock,
    async spawn(begun) {
      const started = await spawnBehindGate(begun)
      return { ...started, exited: letGo.promise.then(() => started.exited) }
    },
  })
  const thread = threadOf(runs)
  const hanging = scriptOf('exec sleep 1000')
  await thread.start(hanging)
  const over = thread.wait(hanging)
  void runs.receive({ kind: 'end', runId: hanging.runId }, new AbortController().signal)
  await expect(over).rejects.toMatchObject({
    code: 'SUBPROCESS_FAILED',
    message: expect.stringContaining('has not ended 3,000 ms after SIGKILL'),
  })
  letGo.resolve()
})

test('a program that is to give way while it is being started does not begin', async () => {
  const request = scriptOf(`touch ${place.pathOf('begun')}`)
  const runs: Runs = await open(1, {
    clock: systemClock,
    async spawn(begun) {
      const started = await spawnBehindGate(begun)
      void runs.receive({ kind: 'end', runId: request.runId }, new AbortController().signal)
      return started
    },
  })
  expect(await threadOf(runs).start(request)).toEqual({ kind: 'gave-way' })
  expect(existsSync(place.pathOf('begun'))).toBe(false)
})

test('of a run that its thread gives up nothing is kept', async () => {
  const runs = await open(1)
  const thread = threadOf(runs)
  const given = scriptOf('exec sleep 1000')
  await thread.start(given)
  await thread.giveUp(given)
  // It gets the place that the first one had until it was gone.
  const next = scriptOf('true')
  expect(await thread.start(next)).toEqual({ kind: 'begun' })
  await thread.wait(next)
  await expect(thread.wait(given)).rejects.toThrow('There is no run')
})

test('where nobody can see what a program left, no other of its job begins, and the next start looks for it', async () => {
  const system = { clock: restlessClock, spawn: spawnBehindGate }
  const runs = await open(2, system)
  const gate = place.pathOf('gate')
  execFileSync('mkfifo', [gate])
  const seconds = uniqueSeconds()
  const thread = threadOf(runs)
  const leaves = scriptOf(`env -i sleep ${seconds} & read -r line < "$GATE"; echo bye`, {
    jobId: 'a',
    env: { GATE: gate },
  })
  await thread.start(leaves)
  void blindness.begin('list', Number.POSITIVE_INFINITY)
  await writeFile(gate, 'go\n')
  expect(await thread.wait(leaves)).toMatchObject({ exitCode: 0, stdoutTail: 'bye\n' })
  // As an engine would that is started after the death of this one.
  await expect(open(2, system)).rejects.toMatchObject({ code: 'SUBPROCESS_FAILED' })
  opened = runs
  const next = scriptOf(`pgrep -fc '^sleep ${seconds}'; true`, { jobId: 'a', attempt: 2 })
  const begun = threadOf(runs).start(next)
  blindness.end()
  expect(await begun).toEqual({ kind: 'begun' })
  expect(await threadOf(runs).wait(next)).toMatchObject({ stdoutTail: '0\n' })
  expect(livingWith(seconds)).toEqual([])
})
