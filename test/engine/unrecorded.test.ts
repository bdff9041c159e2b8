/** What becomes of a job cannot be recorded, as where its page of the file is damaged: that is its own trouble. */
import { expect, test } from 'vitest'
import { openWriter } from '../../src/store/open.ts'
import { readTable, useEngines } from './open-engine.ts'

const engines = useEngines()

const damage = (from: string, states: string) =>
  `CREATE TRIGGER damaged BEFORE UPDATE ON jobs WHEN OLD.payload ${from} AND NEW.state IN (${states})
   BEGIN SELECT RAISE(ABORT, 'damaged'); END`

/** An engine on a file that takes no change of this kind. */
function openDamaged(trigger: string) {
  openWriter({ path: engines.pathOf('tasks.db'), durability: 'process' }).close()
  engines.change(trigger)
  return engines.open()
}

/** Has the file mended, and every job come to its end. */
async function mend() {
  engines.change('DROP TRIGGER damaged')
  const engine = await engines.open()
  await engine.idle()
  return engine
}

test('an outcome that cannot be recorded holds up no other, and is told', async () => {
  const engine = await openDamaged(damage(`= '"bad"'`, "'DONE'"))
  const told = new Promise((resolve) => engine.events.once('commit-failed', resolve))
  const [first, bad, last] = await Promise.all(
    ['good', 'bad', 'good'].map((payload) => engine.enqueue('NOTHING', payload)),
  )
  expect(await told).toMatchObject({ jobId: bad?.id, jobType: 'NOTHING', error: { message: 'damaged' } })
  await first?.result()
  await last?.result()
  const later = await engine.enqueue('OK', 'later')
  await later.result()
  expect(await engine.get(bad?.id ?? '')).toMatchObject({ state: 'RUNNING' })
  const report = await engine.stop()
  expect(report).toMatchObject({ graceful: false, putBackWaiting: 0, putBackRunning: 0, leftRunning: 1 })

  engines.change('DROP TRIGGER damaged')
  engines.change(damage(`= '"bad"'`, "'DONE', 'QUEUED', 'CANCELLED'"))
  const again = await engines.open()
  const toldAgain = new Promise((resolve) => again.events.once('commit-failed', resolve))
  expect(await toldAgain).toMatchObject({ jobId: bad?.id, retryInMs: undefined })
  await (await again.enqueue('OK', 'later still')).result()
  await again.idle()
  expect(await again.get(bad?.id ?? '')).toMatchObject({ state: 'RUNNING' })
  // The next start ends it, where it can.
  await again.cancel(bad?.id ?? '')
  expect(await again.stop()).toMatchObject({ leftRunning: 1 })

  const mended = await mend()
  expect(await mended.get(bad?.id ?? '')).toMatchObject({ state: 'CANCELLED' })
})

test('a newer generation waits no more for a run of its subject that could not be recovered', async () => {
  const engine = await openDamaged(damage(`LIKE '%"bad"%'`, "'DONE', 'QUEUED', 'SUPERSEDED'"))
  const { stage } = engines
  const about = { subjectKey: 's' }
  const bad = await engine.enqueue('GATE', { gate: 'g', name: 'bad' }, about)
  await stage.waits('g')
  const newer = await engine.enqueue('OK', 'newer', { ...about, onRunning: 'finish' })
  expect(await engine.stop({ graceMs: 0 })).toMatchObject({ leftRunning: 1 })

  const again = await engines.open()
  await again.idle()
  expect(await again.get(newer.id)).toMatchObject({ state: 'DONE' })
  expect(await again.stop()).toMatchObject({ leftRunning: 1 })
  stage.open('g')
  const mended = await mend()
  expect(await mended.get(bad.id)).toMatchObject({ state: 'SUPERSEDED' })
})

test('a job that cannot be put back keeps no other from it when the engine stops', async () => {
  const engine = await openDamaged(damage(`LIKE '%"bad"%'`, "'QUEUED'"))
  const { stage } = engines
  const jobs = await Promise.all(
    ['runs', 'bad', 'waits'].map((name) => engine.enqueue('GATE', { gate: 'g', name })),
  )
  await stage.waits('g')
  const counts = { graceful: false, putBackWaiting: 1, putBackRunning: 1, leftRunning: 1 }
  expect(await engine.stop()).toMatchObject(counts)
  const rows = readTable<{ state: string }>(engines.pathOf('tasks.db'), 'SELECT state FROM jobs ORDER BY seq')
  expect(rows.map(({ state }) => state)).toEqual(['QUEUED', 'RUNNING', 'QUEUED'])

  stage.open('g')
  const mended = await mend()
  for (const { id } of jobs) expect(await mended.get(id)).toMatchObject({ state: 'DONE' })
})
