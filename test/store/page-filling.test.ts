import { statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type JobSeq, toJobSeq } from '../../src/job/id.ts'
import { lowestPriority } from '../../src/job/spec.ts'
import { openWriter } from '../../src/store/open.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { usePlace } from './folder.ts'

const place = usePlace()
const jobsAtOnce = 100
const rounds = 200
/** Later than the pages of the last ones are full. */
const roundsUntilEnd = 20
/** A time of today: as many bytes as those of real jobs. */
const now = 1_800_000_000_000

test.each(['RUNNING', 'WAITING'] as const)('pages of jobs that were %s stay full as they end', (birth) => {
  const database = place.keep(openWriter({ path: place.pathOf('jobs.db'), durability: 'process' }))
  const writer = new JobWriter(database)
  const payloads = JSON.stringify(Array.from({ length: jobsAtOnce }, () => '{"name":"value"}'))
  const commit = (apply: () => void) => {
    writer.begin()
    apply()
    writer.commit('')
  }
  const begun: JobSeq[] = []
  for (let round = 0; round < rounds; round++) {
    commit(() => {
      const first = writer.nextSeqs(jobsAtOnce)
      writer.jobsInsertPlain(birth, first, jobsAtOnce, 'T', payloads, now)
      if (birth === 'WAITING') writer.backlogClaim('trusted', 1e9, lowestPriority, () => true)
      begun.push(first)
      const from = begun[round - roundsUntilEnd]
      if (from === undefined) return
      writer.jobsSettleDone(from, toJobSeq(from + jobsAtOnce - 1), 'default', now, now)
    })
  }
  expect(writer.counters.totals().DONE).toBe((rounds - roundsUntilEnd) * jobsAtOnce)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.prepare('VACUUM INTO ?').run(place.pathOf('packed.db'))
  const sizes = ['jobs.db', 'packed.db'].map((name) => statSync(place.pathOf(name)).size)
  const [size = 0, packed = 0] = sizes
  expect(size / packed).toBeLessThan(1.04)
})
