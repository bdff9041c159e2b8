import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'leaks-'))

interface FileOutcome {
  readonly status: string
  readonly message: string
}

let outcomes: ReadonlyMap<string, FileOutcome>

beforeAll(async () => {
  const reportPath = join(folder, 'report.json')
  await runVitest('test/tidy/leaks/vitest.config.ts', reportPath)
  const report: { testResults: (FileOutcome & { name: string })[] } = JSON.parse(
    readFileSync(reportPath, 'utf8'),
  )
  outcomes = new Map(report.testResults.map((file) => [basename(file.name, '.leak.ts'), file]))
})

afterAll(() => rmSync(folder, { recursive: true }))

/** Resolves whatever the outcome: most of these files are meant to fail. */
function runVitest(configPath: string, reportPath: string): Promise<void> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', configPath],
      { cwd: root, env: { ...process.env, SEMANTICA_TEST_REPORT: reportPath } },
      () => done(),
    )
  })
}

test('a file that tidies up after itself passes', () => {
  expect(outcomes.get('nothing')).toMatchObject({ status: 'passed' })
})

test.each([
  ['thread', /left behind: thread \d+$/],
  ['process', /left behind: process \d+: .*setInterval/],
  ['port', /left behind: 1 MessagePort$/],
  ['timer', /left behind: 1 Timeout$/],
  ['database', /left behind: open file .*left-open\.db/],
  ['file', /left behind: temporary file left-over\.txt$/],
])('a file that leaves a %s fails and says so', (leak, message) => {
  const outcome = outcomes.get(leak)
  expect(outcome?.status).toBe('failed')
  expect(outcome?.message.split('\n')[0]).toMatch(message)
})
