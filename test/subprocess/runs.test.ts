/** What the actor that runs programs does with what several threads ask of it. Real processes. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import type { ProgramEnd, ProgramRequest } from '../../src/job/program.ts'
import { Runs } from '../../src/subprocess/runs.ts'
import { livingWith, uniqueSeconds, useVoices } from '../engine/program-voices.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
const voices = useVoices()
let opened: Runs | undefined
afterEach(() => opened?.stop())

async function open(concurrency = 2): Promise<Runs> {
  const database = place.pathOf('tasks.db')
  opened = await Runs.start({ database, concurrency, allowedEnv: ['PATH'], outputBytes: 10_000 })
  return opened
}

let lastRun = 0

/** A program, as a thread asks for it. */
function scriptOf(script: string, fields: Partial<ProgramRequest> = {}): ProgramRequest {
  const own = { command: '/bin/sh', args: ['-c', script], runId: `run ${++lastRun}`, jobId: `job ${lastRun}` }
  return { ...own, attempt: 1, subjectKey: undefined, generation: undefined, graceMs: 0, ...fields }
}

/** A thread of the pool, of which nobody says whether it lives. */
function threadOf(runs: Runs) {
  const signal = new AbortController().signal
  return {
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
