/**
 * Goal: no statement scans a table or sorts, whatever the number of rows. Method: each plan, on the real schema, as SQLite
 * explains it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, openWriter } from '../../src/store/open.ts'
import { readSql } from '../../src/store/reader.ts'
import { writeSql } from '../../src/store/write-statements.ts'

/** Statements that have no plan: the transaction's own. */
const withoutPlan = new Set([
  'begin',
  'commit',
  'rollback',
  'savepoint',
  'savepointRelease',
  'savepointRollback',
])
/** Read whole, once, when the database is opened: a row for each queue and state. */
const mayScan = new Set(['countersAll'])

let folder = ''
let database: Database

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plans-'))
  database = openWriter({ path: join(folder, 'jobs.db'), durability: 'process' })
})

afterAll(() => {
  database.close()
  rmSync(folder, { recursive: true, force: true })
})

function planOf(sql: string): string {
  const text = sql.replaceAll(/[?]|@\w+/g, 'NULL')
  return database
    .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${text}`)
    .all()
    .map(({ detail }) => detail)
    .join('\n')
}

const statements = Object.entries({ ...writeSql, ...readSql }).filter(([name]) => !withoutPlan.has(name))

test.each(statements)('%s neither scans a table nor sorts', (name, sql) => {
  const plan = planOf(sql)
  expect(plan).not.toMatch(/TEMP B-TREE/)
  if (!mayScan.has(name)) expect(plan.replaceAll(/SCAN json_each.*/g, '')).not.toMatch(/SCAN/)
})

test.each([
  ['backlogPeek', 'idx_jobs_queued'],
  ['backlogCount', 'idx_jobs_queued'],
  ['subjectLiveJobs', 'idx_jobs_subject_live'],
  ['dueList', 'idx_jobs_scheduled'],
  ['dueNext', 'idx_jobs_scheduled'],
  ['parkedCount', 'idx_jobs_scheduled'],
  ['parkedList', 'idx_jobs_scheduled'],
] as const)('%s uses %s', (name, index) => {
  expect(planOf(writeSql[name])).toContain(index)
})

test('a plan that scans is seen', () => {
  expect(planOf('SELECT * FROM jobs WHERE queue = ?')).toMatch(/SCAN jobs/)
})
