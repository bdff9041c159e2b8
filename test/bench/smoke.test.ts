/** Every scenario of the bench runs whole, with small parameters: each trial checks its own results, this checks the form. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))

async function bench(...words: string[]) {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...words])
    return { code: 0, stdout, stderr }
  } catch (error) {
    // What execFile rejects with when the process ended with another code than 0.
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

const positive = expect.toSatisfy(
  (value: unknown) => typeof value === 'number' && value > 0,
  'a positive number',
)

function figure(unit: string) {
  return { value: positive, unit, reference: positive, ratio: positive }
}

/** One without a reference. */
function plainFigure(unit: string) {
  return { value: positive, unit }
}

describe('scenarios', () => {
  test.each([
    ['floor', { jobs_per_s: figure('jobs/s') }],
    ['enqueue', { acknowledged_per_s: figure('jobs/s') }],
    ['throughput', { jobs_per_s: figure('jobs/s'), longest_stall_ms: plainFigure('ms') }],
    ['cpu', { jobs_per_s: figure('jobs/s'), longest_stall_ms: plainFigure('ms') }],
    [
      'latency',
      {
        acknowledged_p50_ms: plainFigure('ms'),
        acknowledged_p99_ms: plainFigure('ms'),
        acknowledged_p999_ms: plainFigure('ms'),
        started_p50_ms: plainFigure('ms'),
        started_p99_ms: plainFigure('ms'),
        started_p999_ms: plainFigure('ms'),
      },
    ],
    ['burst', { others_of_100_ms: figure('ms'), others_of_1000_ms: figure('ms') }],
    ['cancel', { saw_flag_p99_ms: plainFigure('ms'), ended_after_grace_ms: plainFigure('ms') }],
    [
      'cancel-many',
      {
        cancelled_in_s: plainFigure('s'),
        acknowledged_p99_ms: plainFigure('ms'),
        acknowledged_max_ms: plainFigure('ms'),
      },
    ],
    ['supersede', { never_ran: plainFigure('%') }],
    ['backlog', { claim_cost: figure('µs/job'), first_job_ms: plainFigure('ms'), rss_mb: plainFigure('MB') }],
    ['start', { first_job_ms: figure('ms'), ready_ms: plainFigure('ms'), stop_ms: plainFigure('ms') }],
    ['logs', { failures_jobs_per_s: figure('jobs/s'), all_jobs_per_s: figure('jobs/s') }],
    [
      'maintenance',
      {
        jobs_per_s: figure('jobs/s'),
        acknowledged_p999_ms: figure('ms'),
        longest_wait_ms: figure('ms'),
        full_speed_jobs_per_s: figure('jobs/s'),
        file_mb: figure('MB'),
      },
    ],
    [
      'soak',
      {
        acknowledged_p50_ms: figure('ms'),
        acknowledged_p99_ms: figure('ms'),
        wal_mb: figure('MB'),
        rss_mb: figure('MB'),
        handles: figure(''),
      },
    ],
    ['index', { cold_mb_per_s: figure('MB/s'), unchanged_ms: figure('ms') }],
  ])('%s', async (scenario, figures) => {
    const { code, stdout, stderr } = await bench(scenario, '--smoke', '--json', '--durability', 'power')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      scenario,
      figures,
      environment: expect.objectContaining({
        cpu: expect.any(String),
        cores: positive,
        node: process.versions.node,
        sqlite: expect.stringMatching(/^3\.\d+\.\d+$/),
        durability: 'power',
        pragmas: expect.objectContaining({ journal_mode: 'wal', synchronous: 2, page_size: 8192 }),
        commit: expect.any(String),
        date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        parameters: expect.objectContaining({ smoke: true, pairs: 1 }),
      }),
    })
  })
})

test('for people: a table, and what it was found with', async () => {
  const { code, stdout, stderr } = await bench('floor', '--smoke')
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^ {2}jobs_per_s +[\d,.]+ \([\d,.]+ to [\d,.]+\) jobs\/s .* at least 0\.6: (?:met|MISSED)$/m,
  )
  expect(stdout).toContain('node: ')
  expect(stderr).toMatch(/^pair 1 of 1: /)
})

test('a figure without a reference has its own bar, or none', async () => {
  const { stdout } = await bench('latency', '--smoke')
  expect(stdout).toMatch(/^ {2}acknowledged_p99_ms +[\d,.]+ \(.+\) ms +at most 5 ms: (?:met|MISSED)$/m)
  expect(stdout).toMatch(/^ {2}acknowledged_p50_ms +[\d,.]+ \(.+\) ms$/m)
})

test('--help lists the scenarios and options', async () => {
  const { code, stdout } = await bench('--help')
  expect(code).toBe(0)
  for (const word of [
    'floor',
    'enqueue',
    'throughput',
    'cpu',
    'latency',
    'burst',
    'cancel',
    'cancel-many',
    'supersede',
    'backlog',
    'index',
    'logs',
    'start',
    '--json',
    '--smoke',
    '--pairs',
    '--durability',
  ]) {
    expect(stdout).toContain(word)
  }
})

test.each([
  [
    [],
    'No scenario is named. Scenarios: floor, enqueue, throughput, cpu, latency, burst, cancel, cancel-many, supersede, backlog, maintenance, index, logs, start, soak.',
  ],
  [['bogus'], 'There is no scenario bogus. Scenarios: floor,'],
  [['toString'], 'There is no scenario toString.'],
  [['floor', 'cpu'], 'One scenario at a time, not also cpu.'],
  [['floor', '--pairs', '0'], '--pairs is 0. Allowed: a whole number from 1 to 1,000.'],
  [['floor', '--durability', 'none'], '--durability is none. Allowed: process, power.'],
  [['floor', '--bogus'], "Unknown option '--bogus'"],
] as const)('%j is refused', async (words, message) => {
  const { code, stdout, stderr } = await bench(...words)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(`bench: ${message}`)
  expect(stderr).toContain('Run with --help')
})
