/**
 * Goal: no statement scans a table or sorts, whatever the number of rows. Method: each plan, on the real schema, as SQLite
 * explains it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keptJobsSql } from '../../src/maintenance/prune-artifacts.ts'
import { integritySql } from '../../src/store/integrity.ts'
import { walkSql } from '../../src/store/job-walk.ts'
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
/** Read whole, when the database is opened or a run of maintenance ends: a row for each queue and state, or for each cancel under way. */
const mayScan = new Set(['countersAll', 'countersDeleteEmpty', 'countedJobs', 'cancelRequestsAll'])

/** Of what is there anyway: an array that was passed in, and the bounded rows of a subquery that has a plan of its own. */
const harmless = /SCAN (?:json_each|CONSTANT ROW|\(subquery).*/g

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

const statements = Object.entries({
  ...writeSql,
  ...readSql,
  ...walkSql,
  ...integritySql,
  keptJobs: keptJobsSql,
}).filter(([name]) => !withoutPlan.has(name))

test.each(statements)('%s neither scans a table nor sorts', (name, sql) => {
  const plan = planOf(sql)
  expect(plan).not.toMatch(/TEMP B-TREE/)
  if (!mayScan.has(name)) expect(plan.replaceAll(harmless, '')).not.toMatch(/SCAN/)
})

test.each([
  ['backlogPeekTrusted', '(waits_for=? AND run_at=? AND suspicion=?)'],
  ['backlogPeekSuspects', '(waits_for=? AND run_at=? AND suspicion=?)'],
  ['backlogPeekExclusive', '(waits_for=? AND run_at=? AND suspicion=?)'],
  ['backlogPeekPrograms', '(waits_for=? AND run_at=? AND suspicion=?)'],
  ['backlogPeekLabelledTrusted', '(waits_for=? AND run_at=? AND suspicion=?)'],
  ['backlogPeekLabelledPrograms', '(waits_for=? AND run_at=? AND suspicion=?)'],
  ['waitingAfterSeq', '(waits_for=? AND run_at=? AND suspicion=? AND priority=? AND seq>?)'],
  ['waitingAfterPriority', '(waits_for=? AND run_at=? AND suspicion=? AND priority<?)'],
  ['waitingAfterSuspicion', '(waits_for=? AND run_at=? AND suspicion>?)'],
  ['waitingAfterTime', '(waits_for=? AND run_at>?)'],
  ['backlogCount', '(waits_for=? AND run_at=? AND suspicion>?)'],
  ['dueList', '(waits_for=? AND run_at<?)'],
  ['dueNext', '(waits_for=?)'],
  ['parkedCount', '(waits_for=?)'],
  ['parkedList', '(waits_for=?)'],
  ['programsRelease', '(waits_for=?)'],
] as const)('%s reads what waits by %s', (name, key) => {
  expect(planOf(writeSql[name])).toMatch(/SEARCH jobs USING (COVERING )?INDEX idx_jobs_waiting /)
  expect(planOf(writeSql[name])).toContain(key)
})

test.each([
  ['jobsPageOfTag', readSql.jobsPageOfTag, 'idx_jobs_user_tag (user_tag=? AND rowid<?)'],
  ['jobsPageOfGroup', readSql.jobsPageOfGroup, 'idx_jobs_chain_group (chain_group_id=? AND rowid<?)'],
  ['jobsPageOfParent', readSql.jobsPageOfParent, 'idx_jobs_parent (parent_job_id=? AND rowid<?)'],
  ['taggedAfter', writeSql.taggedAfter, 'idx_jobs_user_tag (user_tag=? AND rowid>? AND rowid<?)'],
  ['groupedAfter', writeSql.groupedAfter, 'idx_jobs_chain_group (chain_group_id=? AND rowid>? AND rowid<?)'],
  ['jobsCancelWaiting', writeSql.jobsCancelWaiting, 'INTEGER PRIMARY KEY (rowid=?)'],
  ['jobsCancelClaimed', writeSql.jobsCancelClaimed, 'INTEGER PRIMARY KEY (rowid=?)'],
  ['jobsDelete', writeSql.jobsDelete, 'INTEGER PRIMARY KEY (rowid>? AND rowid<?)'],
  ['walkLastCreated', walkSql.walkLastCreated, 'INTEGER PRIMARY KEY (rowid>? AND rowid<?)'],
  ['walkCount', walkSql.walkCount, 'INTEGER PRIMARY KEY (rowid>? AND rowid<?)'],
  ['walkFinished', walkSql.walkFinished, 'INTEGER PRIMARY KEY (rowid>? AND rowid<?)'],
  ['jobsClaimPrograms', writeSql.jobsClaimPrograms, 'INTEGER PRIMARY KEY (rowid>? AND rowid<?)'],
])('%s finds jobs by the index that it should', (_name, sql, key) => {
  expect(planOf(sql)).toContain(key)
})

test.each([
  'jobsSettleFirstDone',
  'jobSettleDone',
  'jobSettleDoneWithResult',
] as const)('%s touches no index', (name) => {
  const opened = database
    .prepare<[], { opcode: string; p4: string }>(`EXPLAIN ${writeSql[name].replaceAll('?', 'NULL')}`)
    .all()
    .filter(({ opcode }) => opcode === 'OpenWrite')
  expect(opened).toHaveLength(1)
})

test('a plan that scans is seen', () => {
  expect(planOf('SELECT * FROM jobs WHERE queue = ?')).toMatch(/SCAN jobs/)
})
