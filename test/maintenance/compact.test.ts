/** When free pages go back to the disk; the supervisor is played by the test. */
import Connection from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readMaintenance } from '../../src/config.ts'
import { newDatabaseId } from '../../src/job/id.ts'
import { Compact } from '../../src/maintenance/compact.ts'
import type { DutySurroundings } from '../../src/maintenance/duty.ts'

let database: Connection.Database
afterEach(() => void database.close())

test.each([
  { hasBegun: false, compactFreePercent: 50, asks: 0, why: 'too little of it is free' },
  { hasBegun: false, compactFreePercent: 1, asks: 3, why: 'enough of it is free' },
  { hasBegun: true, compactFreePercent: 50, asks: 3, why: 'pruning has begun to give back' },
])('$why: asked for pages $asks times', async ({ hasBegun, compactFreePercent, asks }) => {
  database = new Connection(':memory:')
  database.exec(
    'CREATE TABLE kept AS SELECT randomblob(900000); CREATE TABLE gone AS SELECT randomblob(100000);',
  )
  database.exec('DROP TABLE gone')
  let asked = 0
  const surroundings: DutySurroundings = {
    database,
    databaseId: newDatabaseId(),
    settings: readMaintenance({ compactFreePercent }, {}),
    checksIntegrity: false,
    clock: systemClock,
    // The boundary: of the requests a duty may make this one makes one kind.
    supervisor: {
      ask: async () => ({ vacuumedPages: 10, freePages: 2 - asked++, deletedJobs: 0, pages: 100 }) as never,
    },
  }
  const compact = new Compact(surroundings, () => hasBegun)
  while (await compact.runOnce());
  expect(asked).toBe(asks)
  expect(compact.report().reclaimedBytes > 0).toBe(asks > 0)
})
