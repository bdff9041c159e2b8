/** From the log of a real process, and nothing else, the root cause of each failed job can be named. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { canBecome, isFinal, isJobState } from '../../src/job/state.ts'
import { type LogLine, parseLog, runHost } from './logging-process.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'root-cause-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What a person says who has only the log. */
function rootCauseOf(lines: readonly LogLine[], jobId: string): string {
  const last = lines.findLast(({ fields }) => fields.job_id === jobId && isEnd(fields.state))
  if (last === undefined) return 'did not fail'
  const { state, cause, error } = last.fields
  return cause === undefined ? `${state}` : `${cause}: ${error?.message}`
}

function isEnd(state: string | undefined): boolean {
  return state !== undefined && isJobState(state) && isFinal(state)
}

const ended = 'The handler did not give way within 20 ms of its signal, so its thread was ended'

const matching = (text: RegExp): string => expect.stringMatching(text)

const rootCauses: Readonly<Record<string, string>> = {
  SUCCEEDS: 'did not fail',
  FAILS_ONCE: 'did not fail',
  // In the log where all transitions are.
  HEEDS_CANCEL: 'did not fail',
  IGNORES_CANCEL: 'did not fail',
  THROWS: 'THREW: now',
  THROWS_LATER: 'THREW: later',
  SPINS: `TIMED_OUT: ${ended}`,
  HANGS: `TIMED_OUT: ${ended}`,
  EXITS: matching(/^EXITED: .*code: 1/),
  EXHAUSTS: matching(/^OUT_OF_MEMORY: .*memory limit/),
  RETURNS_JUNK: matching(/^INVALID_RESULT: The result itself is a function\./),
  PICKY: matching(/^INVALID_PAYLOAD: The payload of PICKY does not validate: colour: must be a colour\./),
  LEAKS: 'THREW: GET https://bob:[REDACTED]@example.org failed: Bearer [REDACTED]',
  WITH_ENV: matching(
    /^THREW: \/bin\/sh ended with exit code 3; its last words: \[REDACTED\] \[REDACTED\] broke\./,
  ),
  NO_PROGRAM: matching(/^THREW: The program \/no\/such\/program does not exist\./),
  TOO_LATE: 'SKIPPED_DEADLINE',
  OUTWAITED: 'SKIPPED_TTL',
}

/** Where each of them ends. */
const ends: Readonly<Record<string, string>> = {
  SUCCEEDS: 'DONE',
  FAILS_ONCE: 'DONE',
  HEEDS_CANCEL: 'CANCELLED',
  IGNORES_CANCEL: 'CANCELLED',
  TOO_LATE: 'SKIPPED_DEADLINE',
  OUTWAITED: 'SKIPPED_TTL',
}

describe('the scripted workload', () => {
  test('with what an embedded engine logs: failures', { timeout: 300_000 }, async () => {
    const run = await runHost('workload', join(folder, 'tasks.db'), {
      SEMANTICA_LOG_FORMAT: 'json',
      SEMANTICA_LOG_LEVEL: 'warn',
    })
    expect(run).toMatchObject({ status: 0, signal: null })
    const lines = parseLog(run.stderr)
    const found = [...run.jobs].map(([name, jobId]) => [name, rootCauseOf(lines, jobId)] as const)
    expect(Object.fromEntries(found)).toEqual(rootCauses)
    // A retry and a death are lines of their own, and every refused request is one.
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'WARN',
        target: 'semantica.supervisor',
        message: 'Job state transition',
        fields: expect.objectContaining({
          job_id: run.jobs.get('FAILS_ONCE'),
          job_type: 'FAILS_ONCE',
          queue: 'default',
          from_state: 'RUNNING',
          state: 'SCHEDULED',
          attempt: 1,
          duration_ms: expect.any(Number),
          delay_ms: 1,
        }),
      }),
    )
    const deaths = lines.filter(({ message }) => message === 'Pool thread died; it is replaced')
    expect(deaths.map(({ fields }) => fields.cause)).toEqual(
      expect.arrayContaining(['EXITED', 'OUT_OF_MEMORY', 'THREAD_DIED']),
    )
    const refused = lines.filter(({ message }) => message === 'Request refused')
    expect(refused.map(({ fields }) => [fields.request, fields.code])).toEqual([
      ['enqueue', 'PAYLOAD_INVALID'],
      ['enqueue', 'JOB_TYPE_UNKNOWN'],
      ['enqueueMany', 'OPTION_INVALID'],
      ['cancel', 'JOB_ID_INVALID'],
      ['enqueue', 'PAYLOAD_INVALID'],
    ])
    expect(lines.filter(({ level }) => level === 'INFO')).toEqual([])
    expect(run.stderr).not.toMatch(/sesame|hunter2|abcdef0123456789|tell-nobody/)
  })

  test('with every transition: each job goes from where it was', { timeout: 300_000 }, async () => {
    const run = await runHost('workload', join(folder, 'tasks.db'), {
      SEMANTICA_LOG_FORMAT: 'json',
      SEMANTICA_LOG_LEVEL: 'info',
      SEMANTICA_LOG_TRANSITIONS: 'all',
    })
    expect(run).toMatchObject({ status: 0, signal: null })
    const lines = parseLog(run.stderr)
    const states = new Map<string, string>()
    for (const { message, fields } of lines) {
      if (message !== 'Job state transition') continue
      const { job_id: jobId = '', from_state: from, state = '' } = fields
      expect({ jobId, from }).toEqual({ jobId, from: states.get(jobId) })
      if (from !== undefined)
        expect(isJobState(from) && isJobState(state) && canBecome(from, state)).toBe(true)
      states.set(jobId, state)
    }
    const found = [...run.jobs].map(([name, jobId]) => [name, states.get(jobId)] as const)
    const failed = Object.fromEntries(Object.keys(rootCauses).map((name) => [name, 'FAILED']))
    expect(Object.fromEntries(found)).toEqual({ ...failed, ...ends })
  })

  test('a job that kills its process each time', { timeout: 300_000 }, async () => {
    const database = join(folder, 'tasks.db')
    const environment = { SEMANTICA_LOG_FORMAT: 'json' }
    let log = ''
    let jobId = ''
    for (;;) {
      const run = await runHost('poison', database, environment)
      log += run.stderr
      jobId = run.jobs.get('KILLS') ?? jobId
      if (run.signal === null) {
        expect(run.status).toBe(0)
        break
      }
      expect(run.signal).toBe('SIGKILL')
    }
    const lines = parseLog(log)
    expect(rootCauseOf(lines, jobId)).toBe('PROCESS_DIED: The process ended while this job ran alone in it')
    const recoveries = lines.filter(({ message }) => message.startsWith('Recovered jobs'))
    expect(recoveries.at(-1)?.fields).toEqual({ interrupted: 1, poisoned: 1 })
  })
})
