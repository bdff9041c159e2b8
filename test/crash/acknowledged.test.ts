import { expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { isFull, randomFrom, seed } from './effort.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()
const kills = isFull ? 50 : 3
/** The longest that a process lives, in lines of its journal: its start, and some thousand jobs. */
const longestLife = isFull ? 6_000 : 2_500

test('SIGKILL at random moments loses nothing acknowledged and repeats nothing reported', async () => {
  const database = place.pathOf('tasks.db')
  const random = randomFrom(seed)
  const journals: string[][] = []
  for (let kill = 0; kill < kills; kill++) {
    await using producer = EngineProcess.producer(database, 'produce')
    // Short lives are the ones that meet recoveries under way, so they are as frequent as all others together.
    const life = 1 + Math.floor(random() ** 2 * longestLife)
    await producer.lines(life)
    await producer.kill()
    journals.push(producer.journal)
    expect(checkDatabase(database), `seed ${seed}, after kill ${kill}`).toEqual([])
  }
  await using last = EngineProcess.producer(database, 'drain')
  expect(await last.ended(), `seed ${seed}`).toEqual({ signal: null, code: 0 })
  journals.push(last.journal)
  expect(checkDatabase(database), `seed ${seed}, at the end`).toEqual([])
  expect(findBroken(journals, database), `seed ${seed}`).toEqual([])
})

/** Holds what the processes told against what is stored. */
function findBroken(journals: readonly string[][], database: string): string[] {
  const stored = readJobs(database)
  const broken: string[] = []
  const reported = new Set<string>()
  const started = new Set<string>()
  for (const [life, journal] of journals.entries()) {
    const entered = new Set<string>()
    for (const line of journal) {
      const [word, name = '', attempt] = line.split(' ')
      switch (word) {
        case 'acknowledged':
          if (!stored.has(name)) broken.push(`life ${life}: ${name} was acknowledged and is gone`)
          break
        case 'reported':
          reported.add(name)
          break
        case 'started':
          if (reported.has(name)) broken.push(`life ${life}: ${name} was reported and runs again`)
          if (started.has(`${name} ${attempt}`)) broken.push(`life ${life}: ${line} once more`)
          started.add(`${name} ${attempt}`)
          break
        case 'entered':
          if (entered.has(name)) broken.push(`life ${life}: two handlers of ${name} run at a time`)
          entered.add(name)
          break
        case 'left':
          entered.delete(name)
          break
        case 'ready':
          break
        default:
          broken.push(`life ${life}: what is ${line}?`)
      }
    }
  }
  for (const [id, { state, jobType }] of stored) {
    const isEnded = state === 'DONE' || (state === 'SUPERSEDED' && jobType === 'TURN')
    if (!isEnded) broken.push(`${id} (${jobType}) is ${state}`)
  }
  if (stored.size === 0 || reported.size === 0) broken.push('nothing was acknowledged or reported at all')
  return broken
}
