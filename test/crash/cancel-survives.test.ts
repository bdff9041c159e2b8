import { expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { checkDatabase } from './check-database.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()

/** A host in which a job runs that does not heed its signal. */
async function withDeaf(database: string, subjectKey: string): Promise<[host: EngineProcess, jobId: string]> {
  const host = EngineProcess.host({ database, threads: 1 })
  await host.line('ready')
  const deaf = await host.enqueue('DEAF', null, { subjectKey })
  await host.line(`started ${deaf}`)
  return [host, deaf]
}

async function comeToRest(database: string): Promise<EngineProcess> {
  const host = EngineProcess.host({ database, threads: 1 })
  await host.ask({ kind: 'idle' })
  return host
}

async function leave(host: EngineProcess, database: string): Promise<void> {
  await host.leave()
  expect(checkDatabase(database)).toEqual([])
}

test('an acknowledged cancel of a running job outlives the process', async () => {
  const database = place.pathOf('tasks.db')
  const [first, deaf] = await withDeaf(database, 'a')
  await using killed = first
  expect(await killed.ask({ kind: 'cancel', jobId: deaf })).toBe('cancelled')
  await killed.line(`signalled ${deaf}`)
  await killed.kill()
  expect(checkDatabase(database)).toEqual([])
  await using next = await comeToRest(database)
  expect(await next.ask({ kind: 'get', jobId: deaf })).toMatchObject({ state: 'CANCELLED', causes: [] })
  expect(await next.ask({ kind: 'cancel', jobId: deaf })).toBe('finished')
  expect(next.journal).not.toContainEqual(expect.stringMatching(/^started/))
  await leave(next, database)
})

test.each([
  'abort',
  'finish',
] as const)('an acknowledged newer generation outlives the process, %s', async (onRunning) => {
  const database = place.pathOf('tasks.db')
  const [first, older] = await withDeaf(database, 'a')
  await using killed = first
  const between = await killed.enqueue('STEP', { number: 1 }, { subjectKey: 'a', onRunning })
  const newest = await killed.enqueue('STEP', { number: 2 }, { subjectKey: 'a', onRunning })
  expect(killed.journal).not.toContainEqual(`started ${newest} 1`)
  await killed.kill()
  expect(checkDatabase(database)).toEqual([])
  await using next = await comeToRest(database)
  const superseded = expect.objectContaining({ state: 'SUPERSEDED', supersededBy: newest })
  expect(await next.ask({ kind: 'get', jobId: older })).toEqual(superseded)
  expect(await next.ask({ kind: 'get', jobId: between })).toEqual(superseded)
  expect(await next.ask({ kind: 'get', jobId: newest })).toMatchObject({ state: 'DONE', attempt: 1 })
  expect(next.journal.filter((line) => line.startsWith('started'))).toEqual([`started ${newest} 1`])
  await leave(next, database)
})

test('a newer generation that was cancelled again leaves the older one superseded', async () => {
  const database = place.pathOf('tasks.db')
  const [first, older] = await withDeaf(database, 'a')
  await using killed = first
  const newer = await killed.enqueue('STEP', { number: 1 }, { subjectKey: 'a' })
  expect(await killed.ask({ kind: 'cancel', jobId: newer })).toBe('cancelled')
  await killed.kill()
  expect(checkDatabase(database)).toEqual([])
  await using next = await comeToRest(database)
  expect(await next.ask({ kind: 'get', jobId: newer })).toMatchObject({ state: 'CANCELLED' })
  // As it would have ended, had the process lived until it gave way.
  expect(await next.ask({ kind: 'get', jobId: older })).toMatchObject({
    state: 'SUPERSEDED',
    supersededBy: newer,
  })
  await leave(next, database)
})
