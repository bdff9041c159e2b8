import fc from 'fast-check'
import { expect, test } from 'vitest'
import { useEngines } from './open-engine.ts'

const engines = useEngines()

interface Run {
  readonly generation: number
  readonly beganAt: number
  readonly endedAt: number
}

function planEnqueues() {
  return fc.sample(
    fc.record({
      subject: fc.integer({ min: 0, max: 19 }),
      back: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 6 }),
      ms: fc.constantFrom(0, 0, 0, 1, 3),
      fails: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      onRunning: fc.constantFrom('abort' as const, 'finish' as const),
      onConflict: fc.constantFrom('supersede' as const, 'supersede' as const, 'keep' as const),
      cancels: fc.integer({ min: 0, max: 14 }).map((n) => n === 0),
      pause: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    }),
    { numRuns: 2_000, seed: 20 },
  )
}

test('never two handlers of one subject at a time, and the latest generation always ends', async () => {
  const engine = await engines.open({ threads: 3 })
  const stage = engines.stage
  const settled = new Map<string, number>()
  engine.events.on('job-settled', ({ jobId }) => settled.set(jobId, (settled.get(jobId) ?? 0) + 1))
  const plan = planEnqueues()
  const latest = new Map<number, number>()
  const jobs = new Map<string, { subject: number; generation: number | undefined }>()
  for (const { subject, back, ms, fails, onRunning, onConflict, cancels, pause } of plan) {
    const generation = back === null ? undefined : Math.max(0, (latest.get(subject) ?? 0) + 1 - back)
    const adding = engine.enqueue(
      'TRACED',
      { ms, fails },
      {
        subjectKey: `s${subject}`,
        onRunning,
        onConflict,
        ...(generation === undefined ? {} : { generation }),
      },
    )
    if (!pause && !cancels) {
      void adding.then((job) => jobs.set(job.id, { subject, generation }))
      continue
    }
    const job = await adding
    jobs.set(job.id, { subject, generation })
    const details = await engine.get(job.id)
    latest.set(subject, Math.max(latest.get(subject) ?? 0, details?.generation ?? 0))
    if (cancels) expect(['cancelled', 'finished']).toContain(await engine.cancel(job.id))
  }
  await engine.idle()
  const runs = new Map<string, Run[]>()
  const isTraced = (kind: string) => kind === 'traced'
  // Each attempt tells of itself after its outcome may have been committed.
  const details = await Promise.all([...jobs.keys()].map((id) => engine.get(id)))
  const attempts = details.reduce((sum, job) => sum + (job?.startedAt === undefined ? 0 : job.attempt), 0)
  await stage.until((messages) => messages.filter(({ kind }) => isTraced(kind)).length >= attempts)
  for (const message of stage.messages) {
    if (message.kind !== 'traced') continue
    const ofSubject = runs.get(message.subjectKey) ?? []
    runs.set(message.subjectKey, ofSubject)
    ofSubject.push(message)
  }
  expect(runs.size).toBe(20)
  for (const [subject, ofSubject] of runs) {
    ofSubject.sort((one, other) => one.beganAt - other.beganAt)
    for (const [index, run] of ofSubject.entries()) {
      const next = ofSubject[index + 1]
      if (next === undefined) continue
      expect(run.endedAt, `${subject}: two handlers at a time`).toBeLessThanOrEqual(next.beganAt)
      expect(run.generation, `${subject}: an older one began later`).toBeLessThanOrEqual(next.generation)
    }
  }
  const states = details.map((job) => job?.state)
  for (const state of states) expect(['DONE', 'FAILED', 'SUPERSEDED', 'CANCELLED']).toContain(state)
  for (const state of ['DONE', 'SUPERSEDED', 'CANCELLED'] as const) expect(states).toContain(state)
  // Of each subject the latest generation has ended by itself or was cancelled.
  for (let subject = 0; subject < 20; subject++) {
    const ofSubject = details.filter((job) => job?.subjectKey === `s${subject}`)
    const newest = ofSubject.reduce((one, other) =>
      (other?.generation ?? 0) > (one?.generation ?? 0) ? other : one,
    )
    expect(newest?.state, `s${subject}`).not.toBe('SUPERSEDED')
  }
  expect([...settled.values()].filter((times) => times !== 1)).toEqual([])
  expect(new Set(settled.keys())).toEqual(new Set(jobs.keys()))
})
