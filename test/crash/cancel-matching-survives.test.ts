/**
 * Goal: a cancel of many jobs that was recorded is carried through, wherever the process is killed. Method: it is killed
 * once the first of them was told as cancelled, with thousands to come; the next process has to come to the same end.
 */
import { expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()
const tagged = 40_000
const others = 500

test('killed in the midst of it, everything that matched is cancelled, and nothing else', async () => {
  const database = place.pathOf('tasks.db')
  await using killed = EngineProcess.host({ database, threads: 1 })
  await killed.line('ready')
  const running = await killed.enqueue('DEAF', null, { userTag: 'red' })
  await killed.line(`started ${running}`)
  await killed.ask({ kind: 'enqueue-tagged', userTag: 'red', queue: 'many', jobs: tagged })
  await killed.ask({ kind: 'enqueue-tagged', userTag: 'blue', queue: 'few', jobs: others })
  killed.ask({ kind: 'cancel-tagged', userTag: 'red' }).catch(() => {})
  // The claims and the first slices are told by now.
  await killed.lines(3_000)
  await killed.kill()
  expect(killed.journal).not.toContain('cancelled')
  expect(checkDatabase(database)).toEqual([])
  const left = [...readJobs(database).values()].filter(({ state }) => state === 'QUEUED')
  expect(left.length).toBeGreaterThan(others)

  await using next = EngineProcess.host({ database, threads: 1 })
  await next.line('ready')
  const late = await next.enqueue('STEP', { number: 1 }, { userTag: 'red' })
  await next.ask({ kind: 'idle' })
  expect(next.journal).toContain(`started ${late} 1`)
  expect(next.journal.filter((line) => line.startsWith('started'))).toHaveLength(others + 1)
  await next.leave()
  expect(checkDatabase(database)).toEqual([])
  const states: Record<string, number> = {}
  for (const { state } of readJobs(database).values()) states[state] = (states[state] ?? 0) + 1
  expect(states).toEqual({ CANCELLED: tagged + 1, DONE: others + 1 })
})
