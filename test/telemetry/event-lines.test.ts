import { expect, test } from 'vitest'
import { lineOf } from '../../src/telemetry/event-lines.ts'
import { type EngineEventMap, type EngineEventName, levelOf } from '../../src/telemetry/events.ts'

/** The line of an event as it may be told by a later version. */
const lineOfAny = (name: string, event: object) =>
  lineOf(name as EngineEventName, event as EngineEventMap[EngineEventName])

test('facts are fields in snake_case, deep; what is not known is no field', () => {
  const error = { name: 'E', message: 'm', details: { exitCode: 3, PATH: '/bin', 'x-Y': 1 } }
  expect(lineOfAny('actor-died', { name: 'index', error, willRestart: true, nothing: undefined })).toEqual({
    traceId: '',
    target: 'semantica.actor',
    fields: {
      name: 'index',
      error: { name: 'E', message: 'm', details: { exit_code: 3, PATH: '/bin', 'x-Y': 1 } },
      will_restart: true,
    },
    message: 'Actor died',
  })
})

test('a trace stands beside the fields, and what names the job before all others', () => {
  const { traceId, fields } = lineOfAny('job-failed', {
    attempt: 2,
    queue: 'q',
    jobId: 'j',
    traceId: 'abc',
    jobType: 'T',
  })
  expect(traceId).toBe('abc')
  expect(Object.entries(fields)).toEqual([
    ['job_id', 'j'],
    ['job_type', 'T'],
    ['queue', 'q'],
    ['from_state', 'RUNNING'],
    ['state', 'FAILED'],
    ['attempt', 2],
  ])
})

test('maintenance runs, and events that have no wording', () => {
  const report = { deletedJobs: 5, deletedArtifacts: 2, reclaimedBytes: 12_345_678 }
  expect(lineOfAny('maintenance-completed', report)).toMatchObject({
    target: 'semantica.maintenance',
    fields: { deleted_jobs: 5, deleted_artifacts: 2, reclaimed_mb: 12.35 },
    message: 'Maintenance completed',
  })
  expect(lineOfAny('maintenance-completed', { ...report, outcome: 'failed' })).toMatchObject({
    fields: { deleted_jobs: 5, outcome: 'failed' },
    message: 'Maintenance ended; something of it failed',
  })
  const amounts = { ...report, deletedEarly: 0, elapsedMs: 1 }
  const levels = [
    levelOf('maintenance-completed', { ...amounts, outcome: 'completed' }),
    levelOf('maintenance-completed', { ...amounts, outcome: 'completed', deletedEarly: 1 }),
    levelOf('maintenance-completed', { ...amounts, outcome: 'failed' }),
    levelOf('maintenance-started', { reason: 'asked' }),
  ]
  expect(levels).toEqual(['info', 'warn', 'warn', 'info'])
  expect(lineOfAny('disk-nearly-full', { usedPercent: 81 })).toEqual({
    traceId: '',
    target: 'semantica.engine',
    fields: { used_percent: 81 },
    message: 'Disk nearly full',
  })
})
