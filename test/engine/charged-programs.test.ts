/** Goal: a program that is charged with a death of the engine is treated like any failed attempt. Method: databases as such a death leaves them. */
import { expect, test } from 'vitest'
import type { EnqueueOptions } from '../../src/job/spec.ts'
import { readTable, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'

const engines = useEngines()

/** A program that ran at the last death, and at two before it. */
async function makeCharged(options: EnqueueOptions): Promise<string> {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('ANY', { command: 'true' }, options)
  await job.result()
  await engine.stop()
  engines.change(`UPDATE jobs SET state = 'RUNNING', finished_at = NULL, result = NULL;
    INSERT INTO expirations SELECT policy ->> 'ttlEndsAt', seq, 'ttl' FROM jobs WHERE policy ->> 'ttlEndsAt' > 0;
    UPDATE meta SET value = '1' WHERE name = 'claims';
    INSERT OR REPLACE INTO meta VALUES ('program_deaths', '[[1,2]]');
    UPDATE counters SET jobs = 0 WHERE state = 'DONE';
    INSERT OR REPLACE INTO counters VALUES ('default', 'RUNNING', 1)`)
  return job.id
}

const retry = { maxAttempts: 3, backoffMs: 600_000, jitter: 0 }

test('one that could run again only after its deadline has failed', async () => {
  const id = await makeCharged({ retry, deadline: new Date(Date.now() + 60_000) })
  const engine = await openPrograms(engines)
  expect(await engine.get(id)).toMatchObject({
    state: 'FAILED',
    failures: 1,
    failedAttempts: [{ cause: 'PROCESS_DIED' }],
  })
})

test('one that is to run again later has begun: its time to live counts no more', async () => {
  const id = await makeCharged({ retry, ttlMs: 300_000 })
  const engine = await openPrograms(engines)
  expect(await engine.get(id)).toMatchObject({ state: 'SCHEDULED', waitsFor: 'time', failures: 1 })
  await engine.stop()
  expect(readTable(engines.pathOf('tasks.db'), 'SELECT * FROM expirations')).toEqual([])
})
