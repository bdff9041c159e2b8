/**
 * Programs that wait for their turn: they are jobs that wait like any others, and in nobody's way. Real processes; one of
 * them keeps the only place until the test opens its gate.
 */
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { LoadMeasure } from '../../src/config.ts'
import { readTable, rejectionOf, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'
import { useVoices, type Voices } from './program-voices.ts'

const engines = useEngines()
const voices = useVoices()
type Opened = Awaited<ReturnType<typeof openPrograms>>

/** Has the only place for programs taken until `leave` is called. */
async function occupy(engine: Opened) {
  const voice = voices.hear(engines.pathOf('voice'))
  const gate = engines.pathOf('gate')
  execFileSync('mkfifo', [gate])
  const job = await engine.enqueue(
    'PATIENT',
    { args: ['echo up > "$VOICE"; read -r word < "$GATE"'], env: { VOICE: voice.path, GATE: gate } },
    { priority: 100 },
  )
  await voice.said('up')
  return { voice, job, leave: () => writeFile(gate, 'go\n') }
}

/** Says a word. */
function speaker(word: string, voice: Voices) {
  return { args: [`echo ${word} > "$VOICE"`], env: { VOICE: voice.path } }
}

test('a program that waits too long for its turn is skipped, whatever takes so long', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const { voice, job, leave } = await occupy(engine)
  const [brief, late] = await engine.enqueueMany([
    { type: 'SHELL', payload: speaker('brief', voice), options: { ttlMs: 100 } },
    { type: 'SHELL', payload: speaker('late', voice), options: { deadline: new Date(Date.now() + 150) } },
  ])
  const expired = await rejectionOf(brief?.result() ?? Promise.resolve(), 'JOB_SKIPPED')
  expect(expired.details).toMatchObject({ state: 'SKIPPED_TTL' })
  await rejectionOf(late?.result() ?? Promise.resolve(), 'JOB_SKIPPED')
  for (const [one, state] of [[brief, 'SKIPPED_TTL'] as const, [late, 'SKIPPED_DEADLINE'] as const])
    expect(await engine.get(one?.id ?? '')).toMatchObject({ state, attempt: 0 })
  await leave()
  await job.result()
  await engine.idle()
  expect(voice.lines).toEqual(['up'])
})

test('of the programs that wait the one of the highest priority goes first', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const { voice, leave } = await occupy(engine)
  const low = Array.from({ length: 3 }, () => ({ type: 'SHELL' as const, payload: speaker('low', voice) }))
  await engine.enqueueMany(low)
  await engine.enqueue('SHELL', speaker('high', voice), { priority: 90 })
  await engine.enqueue('SHELL', speaker('higher', voice), { priority: 100 })
  await leave()
  await engine.idle()
  expect(voice.lines).toEqual(['up', 'higher', 'high', 'low', 'low', 'low'])
})

test('the throttle holds programs of low priority, and no others', async () => {
  let load: LoadMeasure = {}
  const throttle = { measure: () => load, everyMs: 10 }
  const engine = await openPrograms(engines, { concurrency: 1 }, { throttle })
  const { voice, leave } = await occupy(engine)
  const low = await engine.enqueue('SHELL', speaker('low', voice), { priority: -1 })
  const normal = await engine.enqueue('SHELL', speaker('normal', voice))
  const throttled = new Promise((resolve) => engine.events.once('throttled', resolve))
  load = { cpuPercent: 95 }
  await throttled
  await leave()
  await normal.result()
  const later = await engine.enqueue('SHELL', speaker('later', voice))
  const lowToo = await engine.enqueue('SHELL', speaker('low too', voice), { priority: -5 })
  await later.result()
  for (const { id } of [low, lowToo])
    expect(await engine.get(id)).toMatchObject({ state: 'SCHEDULED', waitsFor: 'program' })
  load = { cpuPercent: 10 }
  await lowToo.result()
  // The result may come before the line.
  await voice.said('low too')
  expect(voice.lines).toEqual(['up', 'normal', 'later', 'low', 'low too'])
})

test('however many programs wait, other jobs go on, and no more are claimed than may run', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const { voice, job } = await occupy(engine)
  const many = Array.from({ length: 7_000 }, () => ({
    type: 'SHELL' as const,
    payload: speaker('never', voice),
    options: { userTag: 'many' },
  }))
  await engine.enqueueMany(many)
  await Promise.all(Array.from({ length: 500 }, () => engine.enqueue('SHELL', speaker('never', voice))))
  for (const priority of [100, 0, -100])
    expect(await (await engine.enqueue('PLAIN', undefined, { priority })).result()).toBe('plain')
  const stats = await engine.stats()
  expect(stats).toMatchObject({ claims: 1, jobs: { RUNNING: 1, SCHEDULED: 7_500, QUEUED: 0 } })
  // They wait, and running is one.
  expect(await engine.cancel({ userTag: 'many' })).toEqual({ waiting: 7_000, running: 0 })
  expect(await engine.cancel({ queue: 'default' })).toEqual({ waiting: 500, running: 1 })
  await rejectionOf(job.result(), 'JOB_CANCELLED')
  expect(voice.lines).toEqual(['up'])
})

test('a newer generation supersedes a program that waits, or is kept behind it', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const { voice, leave } = await occupy(engine)
  const first = await engine.enqueue('SHELL', speaker('first', voice), { subjectKey: 's' })
  const kept = await engine.enqueue('SHELL', speaker('kept', voice), { subjectKey: 's', onConflict: 'keep' })
  expect(kept.id).toBe(first.id)
  const second = await engine.enqueue('SHELL', speaker('second', voice), { subjectKey: 's' })
  await rejectionOf(first.result(), 'SUPERSEDED')
  await leave()
  await second.result()
  expect(voice.lines).toEqual(['up', 'second'])
})

test('what waits for a time or for its subject waits for its turn after that', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const { voice, job, leave } = await occupy(engine)
  await engine.enqueue('SHELL', speaker('other', voice), { priority: -100 })
  const failing = `echo "try $SEMANTICA_ATTEMPT" > "$VOICE"; exit $((2 - SEMANTICA_ATTEMPT))`
  const retried = await engine.enqueue('SHELL', { args: [failing], env: { VOICE: voice.path } })
  await leave()
  await job.result()
  expect(await retried.result()).toMatchObject({ exitCode: 0 })
  await engine.idle()
  expect(voice.lines).toEqual(expect.arrayContaining(['up', 'try 1', 'try 2', 'other']))
  const older = await engine.enqueue(
    'SHELL',
    { args: ['echo older > "$VOICE"; exec sleep 1000'], env: { VOICE: voice.path } },
    { subjectKey: 's' },
  )
  await voice.said('older')
  const newer = await engine.enqueue('SHELL', speaker('newer', voice), { subjectKey: 's' })
  await rejectionOf(older.result(), 'SUPERSEDED')
  expect(await newer.result()).toMatchObject({ exitCode: 0 })
})

test('a stop takes nothing from a program that waits: neither an attempt nor its time to live', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const { voice } = await occupy(engine)
  const waiting = await engine.enqueue('SHELL', speaker('waited', voice))
  const brief = await engine.enqueue('SHELL', speaker('brief', voice), { ttlMs: 60_000 })
  expect(await engine.stop({ graceMs: 10_000 })).toMatchObject({ putBackWaiting: 0, putBackRunning: 1 })
  const rows = readTable<{ attempt: number; waitsFor: string }>(
    engines.pathOf('tasks.db'),
    "SELECT attempt, waits_for AS waitsFor FROM jobs WHERE state = 'SCHEDULED' ORDER BY seq",
  )
  expect(rows).toEqual([
    { attempt: 1, waitsFor: 'program' },
    { attempt: 0, waitsFor: 'program' },
    { attempt: 0, waitsFor: 'program' },
  ])
  engines.change('UPDATE expirations SET expires_at = 1')
  const next = await openPrograms(engines, { concurrency: 2 })
  await voice.said('waited')
  expect(await next.get(waiting.id)).toMatchObject({ attempt: 1 })
  expect((await next.get(brief.id))?.state).toBe('SKIPPED_TTL')
})

test('where programs are not served they wait for an engine that serves them, and then for their turn', async () => {
  const engine = await openPrograms(engines, { concurrency: 1 })
  const { voice } = await occupy(engine)
  const waiting = await engine.enqueueMany(
    Array.from({ length: 20 }, () => ({ type: 'SHELL' as const, payload: speaker('ran', voice) })),
  )
  await engine.stop({ graceMs: 10_000 })
  const other = await engines.open()
  await other.idle()
  expect(await (await other.enqueue('OK', 1)).result()).toBe(1)
  for (const { id } of waiting)
    expect(await other.get(id)).toMatchObject({ state: 'SCHEDULED', waitsFor: 'handler', attempt: 0 })
  await other.stop()
  const last = await openPrograms(engines, { concurrency: 2 })
  await voice.said('ran', 20)
  for (const { id } of waiting) expect(await last.get(id)).toMatchObject({ attempt: 1 })
})
