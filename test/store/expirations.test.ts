import { expect, test } from 'vitest'
import { toJobSeq } from '../../src/job/id.ts'
import { openWriter } from '../../src/store/open.ts'
import { JobWriter } from '../../src/store/writer.ts'
import { usePlace } from './folder.ts'

const place = usePlace()

test('a job whose two times are the same instant keeps the one that still counts', () => {
  const database = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  const { expirations } = new JobWriter(database)
  const times = { deadline: 5_000, ttlEndsAt: 5_000 }
  expirations.add(toJobSeq(1), times)
  expirations.add(toJobSeq(2), times)
  expirations.remove(toJobSeq(1), { ttlEndsAt: 5_000 })
  expirations.remove(toJobSeq(2), { deadline: 5_000 })
  expect(expirations.take(5_000, 10)).toEqual([
    { expiresAt: 5_000, seq: 1, kind: 'deadline' },
    { expiresAt: 5_000, seq: 2, kind: 'ttl' },
  ])
})
