/**
 * Goal: there is never more than one run of maintenance, and whoever asks for one is answered. Method: the real thread over
 * a real database, the supervisor around it played by the test, which says when a run may end.
 */
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readMaintenance } from '../../src/config.ts'
import { openWriter, readDatabaseId } from '../../src/store/open.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { Maintenance, type MaintenanceHooks } from '../../src/supervisor/maintenance.ts'
import type { EngineEvent, MaintenanceReport } from '../../src/supervisor/messages.ts'
import type { SupervisorSurroundings } from '../../src/supervisor/surroundings.ts'
import { usePlace } from '../store/folder.ts'

const place = usePlace()
let maintenance: Maintenance | undefined

afterEach(async () => {
  await maintenance?.stop(10_000)
})

/** A database with so many jobs that are to go. */
function setUp(jobs: number, moveAll: MaintenanceHooks['moveAll']) {
  const database = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  const lay = (count: number) =>
    database.exec(`WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ${count})
      INSERT INTO jobs (state, job_type, payload, created_at, finished_at) SELECT 'DONE', 'T', '1', 0, 1 FROM number`)
  lay(jobs)
  const writer = new JobWriter(database)
  const events: EngineEvent[] = []
  const wake = () => setImmediate(() => maintenance?.afterCycle())
  const surroundings = {
    start: { maintenance: readMaintenance(false, {}) },
    database,
    databaseId: readDatabaseId(database),
    clock: systemClock,
  }
  // The boundary: nothing else of the surroundings is asked for.
  maintenance = new Maintenance(surroundings as unknown as SupervisorSurroundings, writer.pruning, {
    runAlone: (apply) => database.transaction(apply)(),
    mayWriteMuch: () => true,
    wrote: () => {},
    moveAll,
    wake,
    emit: (event) => events.push(event),
  })
  maintenance.start()
  return { database, lay, events }
}

function ask(): Promise<MaintenanceReport> {
  return new Promise((reply, refuse) => maintenance?.runNow({ reply, refuse }))
}

test('who asks at the end of a run gets one of their own, and both are answered', async () => {
  const isMoving = Promise.withResolvers<void>()
  const mayEnd = Promise.withResolvers<void>()
  const { lay, events } = setUp(50, () => {
    isMoving.resolve()
    return mayEnd.promise
  })
  const first = ask()
  await isMoving.promise
  lay(30)
  const late = [ask(), ask()]
  expect(events.filter(({ kind }) => kind === 'maintenance-started')).toHaveLength(1)
  mayEnd.resolve()
  expect(await first).toMatchObject({ reason: 'asked', deletedJobs: 50 })
  const [one, other] = await Promise.all(late)
  expect(one).toMatchObject({ reason: 'asked', deletedJobs: 30 })
  expect(other).toEqual(one)
  expect(maintenance?.isAtWork).toBe(false)
})

test('a stop refuses who waits for the next run too', async () => {
  const isMoving = Promise.withResolvers<void>()
  setUp(1, () => {
    isMoving.resolve()
    return new Promise(() => {})
  })
  const first = ask()
  await isMoving.promise
  const answers = Promise.allSettled([first, ask()])
  await maintenance?.stop(10_000)
  const refused = {
    status: 'rejected',
    reason: { code: 'ENGINE_STOPPED', message: expect.stringContaining('The next run goes on') },
  }
  expect(await answers).toMatchObject([refused, refused])
})
