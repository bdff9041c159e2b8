/** The peers' command and the report's text, as far as they go without the peers' packages and servers. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../bench/peers/harness/findings.ts'
import { readVersions } from '../../bench/peers/harness/installed.ts'
import { type Results, renderMarkdown } from '../../bench/peers/harness/markdown.ts'
import { prepareServers } from '../../bench/peers/harness/servers.ts'
import findings from './peers-results.json' with { type: 'json' }

const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))
const report = fileURLToPath(new URL('../../bench/peers/harness/report.ts', import.meta.url))

async function run(program: string, words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...words], {
      env: { ...process.env, ...environment },
    })
    return { code: 0, stdout, stderr }
  } catch (error) {
    // What execFile rejects with when the process ended with another code than 0.
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

function peers(...words: string[]) {
  return run(main, ['peers', ...words])
}

function inEmptyFolder<Result>(use: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'peers-'))
  try {
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const positive = expect.toSatisfy(
  (value: unknown) => typeof value === 'number' && value > 0,
  'a positive number',
)

describe('the command', () => {
  test('--help lists works, contenders and options', async () => {
    const { code, stdout } = await peers('--help')
    expect(code).toBe(0)
    for (const word of ['enqueue-one', 'supersede', 'ours-power', 'graphile-worker', '--work', '--rounds']) {
      expect(stdout).toContain(word)
    }
  })

  test.each([
    [['--work', 'bogus'], '--work names bogus. Allowed: enqueue-one, enqueue-bulk, no-op, cpu,'],
    [['--work', 'cpu,'], '--work names nothing. Allowed: '],
    [['--peers', 'bull'], '--peers names bull. Allowed: ours-process, ours-power, plainjob,'],
    [['--peers', 'piscina', '--work', 'memory'], 'None of piscina does memory.'],
    [['--rounds', '0'], '--rounds is 0. Allowed: a whole number from 1 to 1,000.'],
    [['--bogus'], "Unknown option '--bogus'"],
    [['more'], "Unexpected argument 'more'"],
  ] as const)('%j is refused', async (words, message) => {
    const { code, stdout, stderr } = await peers(...words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(`bench: ${message}`)
    expect(stderr).toContain('Run with --help')
  })

  test('peers that are not installed are told how to be', () => {
    inEmptyFolder((folder) => {
      expect(() => readVersions(['ours-process', 'plainjob'], folder)).toThrow(
        'The peers are not installed (plainjob is missing): run `npm run bench:peers:install`.',
      )
      expect(readVersions(['ours-process', 'piscina'], folder)).toEqual({
        'semantica-task-engine': expect.any(String),
        piscina: expect.any(String),
      })
    })
  })

  test('without a server its contenders are left out, with a line that says so', () => {
    const before = process.env.SEMANTICA_BENCH_PROGRAMS
    process.env.SEMANTICA_BENCH_PROGRAMS = ''
    try {
      const { names, leftOut } = prepareServers(
        ['ours-process', 'graphile-worker', 'pg-boss', 'bullmq'],
        () => {
          throw new Error('No folder is needed')
        },
      )
      expect(names).toEqual(['ours-process'])
      expect(leftOut).toEqual([
        'Left out: graphile-worker, pg-boss. PostgreSQL is not installed (Debian: apt-get install postgresql).',
        'Left out: bullmq. Redis is not installed (Debian: apt-get install redis-server).',
      ])
    } finally {
      if (before === undefined) delete process.env.SEMANTICA_BENCH_PROGRAMS
      else process.env.SEMANTICA_BENCH_PROGRAMS = before
    }
  })
})

describe('what needs nothing installed runs whole', () => {
  test.each([
    ['ours-process', { 'enqueue-one': ['jobs_per_s'], 'enqueue-bulk': ['jobs_per_s'], memory: ['host_mb'] }],
    ['ours-process', { latency: ['p50_ms', 'p99_ms', 'p999_ms'], supersede: ['never_ran', 'elapsed_ms'] }],
    ['ours-power,piscina', { 'no-op': ['jobs_per_s'], cpu: ['ideal_share', 'stall_ms'] }],
  ])('%s: %j', async (contenders, metricsOfWorks) => {
    const works = Object.keys(metricsOfWorks)
    const words = ['--smoke', '--json', '--peers', contenders, '--work', works.join(',')]
    const { code, stdout, stderr } = await peers(...words)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const found = JSON.parse(stdout)
    expect(found).toMatchObject({
      failures: [],
      leftOut: [],
      environment: { node: process.versions.node, parameters: { smoke: true, rounds: 1 } },
    })
    for (const [work, metrics] of Object.entries(metricsOfWorks)) {
      const rows: Row[] = found.works[work]
      expect(rows.map(({ contender }) => contender).join(',')).toBe(contenders)
      for (const { values } of rows) {
        for (const metric of metrics) expect(values[metric]).toEqual([positive])
      }
    }
  })
})

describe('the report', () => {
  // The boundary where the fixture gets its type.
  const text = renderMarkdown(findings as unknown as Results)

  test('has a summary first, then a table for each work with the durability of each row', () => {
    expect(text.indexOf('## In short')).toBeLessThan(text.indexOf('## Jobs that do nothing, end to end'))
    expect(text).toContain('| **SemanticaTask Engine** | 0.1.0 | process | 60,000 (50,000 to 70,000) | – |')
    expect(text).toContain('| graphile-worker | 0.18.0 | power | 15,000 (14,000 to 16,000) | 4 |')
  })

  test('names what is missing, and gives the own scenarios with their bars', () => {
    expect(text).toContain('- Left out: bullmq. Redis is not installed')
    expect(text).toContain('- Failed: pg-boss, no-op, round 2: it hung')
    expect(text).toContain(
      '| throughput | jobs_per_s | 60,000 (58,000 to 62,000) jobs/s | 120,000 jobs/s | 0.5 | ≥ 0.5: met |',
    )
  })

  test('says how to repeat it', () => {
    expect(text).toContain('npm run bench:peers:install\nnpm run bench:report\n')
  })

  test.each([
    [['--smoke'], '--smoke measures nothing: name a folder'],
    [['--rounds', 'x', '--output', '.'], '--rounds is x. Allowed: a whole number from 1 to 1,000.'],
    [['--bogus'], "Unknown option '--bogus'"],
  ] as const)('%j is refused', async (words, message) => {
    const { code, stderr } = await run(report, words)
    expect(code).toBe(1)
    expect(stderr).toContain(`bench:report: ${message}`)
  })
})
