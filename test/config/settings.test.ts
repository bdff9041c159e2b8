import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findUnknownVariables } from '../../src/config/listing.ts'
import { nearestName } from '../../src/config/nearest-name.ts'
import { listSettings, readTuning } from '../../src/config.ts'
import { thrownBy } from '../store/folder.ts'

const file = { path: '/etc/semantica.config.json', values: { threads: 3, throttle: { everyMs: 50 } } }

test('each source wins over the ones before it', () => {
  const threadsOf = (...[given, environment, more]: Parameters<typeof readTuning>) =>
    readTuning(given, environment, more).threads
  expect(threadsOf({ threads: 2 }, {})).toBe(2)
  expect(threadsOf({ threads: 2 }, {}, { file })).toBe(3)
  expect(threadsOf({ threads: 2 }, { SEMANTICA_THREADS: '4' }, { file })).toBe(4)
  expect(threadsOf({ threads: 2 }, { SEMANTICA_THREADS: '4' }, { file, overrides: { threads: 5 } })).toBe(5)
  // What is set to nothing is not set.
  expect(threadsOf({ threads: 2 }, { SEMANTICA_THREADS: '' })).toBe(2)
})

test.each([
  [{ threads: 0 }, {}, {}, 'threads is 0. Allowed: a whole number from 1 to 256.'],
  [{}, { SEMANTICA_THREADS: 'many' }, {}, 'SEMANTICA_THREADS is "many". Allowed: a whole number from 1'],
  [{}, { SEMANTICA_THREADS: ' ' }, {}, 'SEMANTICA_THREADS is " "'],
  [{}, { SEMANTICA_THREADS: '0x10' }, {}, 'SEMANTICA_THREADS is "0x10"'],
  [{}, { SEMANTICA_THREADS: '1.5' }, {}, 'SEMANTICA_THREADS is 1.5'],
  [{}, { SEMANTICA_THREADS: '-1' }, {}, 'SEMANTICA_THREADS is -1'],
  [{}, { SEMANTICA_LOG_LEVEL: 'INFO' }, {}, 'SEMANTICA_LOG_LEVEL is "INFO". Allowed: silent, error, warn'],
  [
    {},
    {},
    { file: { path: '/a/b.json', values: { threads: '4' } } },
    'threads in /a/b.json is "4". Allowed: a whole number',
  ],
  [{}, {}, { overrides: { threads: null } }, '--threads is null'],
  [{}, {}, { overrides: { stopGraceMs: -1 } }, 'overrides.stopGraceMs is -1'],
  // What loses is checked as well.
  [{ threads: 0 }, { SEMANTICA_THREADS: '4' }, {}, 'threads is 0'],
] as const)('%j %j %j is refused by name and place', (given, environment, more, text) => {
  expect(thrownBy(() => readTuning(given, environment, more), 'OPTION_INVALID').message).toContain(text)
})

test.each([
  ['on', true],
  ['true', true],
  ['off', false],
  ['false', false],
])('a switch may be %s in a variable', (text, value) => {
  expect(readTuning({ upgradeBackup: !value }, { SEMANTICA_UPGRADE_BACKUP: text }).upgradeBackup).toBe(value)
})

test('of a switch it is said what a variable may be', () => {
  expect(
    thrownBy(() => readTuning({}, { SEMANTICA_UPGRADE_BACKUP: '1' }), 'OPTION_INVALID').message,
  ).toContain('SEMANTICA_UPGRADE_BACKUP is "1". Allowed: true, false; in a variable on, off too.')
})

test('numbers of the environment may be written as programs write them', () => {
  expect(readTuning({}, { SEMANTICA_MAX_PENDING_JOBS: '1e6' }).maxPendingJobs).toBe(1_000_000)
})

test('every option is listed with where its value came from', () => {
  const environment = { SEMANTICA_SUBPROCESS_ALLOWED_ENV: 'PATH, AWS_*', SEMANTICA_THROTTLE: 'off' }
  const listed = listSettings({
    code: { threads: 2, durability: 'power' },
    file,
    environment,
    overrides: { logLevel: 'info' },
  })
  const found = listed
    .filter(({ origin }) => origin !== 'default')
    .map(({ name, value, origin, source }) => [name, value, origin, source])
  expect(found).toEqual([
    ['threads', 3, 'file', file.path],
    ['durability', 'power', 'code', 'code'],
    ['logLevel', 'info', 'flag', '--log-level'],
    ['throttle', false, 'environment', 'SEMANTICA_THROTTLE'],
    ['throttle.everyMs', 50, 'file', file.path],
    ['subprocess.allowedEnv', ['PATH', 'AWS_*'], 'environment', 'SEMANTICA_SUBPROCESS_ALLOWED_ENV'],
  ])
  expect(new Set(listed.map(({ variable }) => variable)).size).toBe(listed.length)
})

test('what is listed has no links of a page', () => {
  for (const { meaning } of listSettings({ environment: {} })) expect(meaning).not.toMatch(/\]\(|below/)
})

test.each(['PATH LANG', 'PATH,', 'PATH=1'])('%j are no names', (text) => {
  const environment = { SEMANTICA_SUBPROCESS_ALLOWED_ENV: text }
  expect(thrownBy(() => listSettings({ environment }), 'OPTION_INVALID').message).toContain(
    'Allowed: names without spaces or "="; in a variable separated by commas.',
  )
})

test('the path in a file is relative to the file, others are as given', () => {
  const of = (values: object, environment: Record<string, string> = {}) =>
    listSettings({ file: { path: '/etc/app/a.json', values: { ...values } }, environment })[0]?.value
  expect(of({ database: '../data/tasks.db' })).toBe('/etc/data/tasks.db')
  expect(of({ database: '/data/tasks.db' })).toBe('/data/tasks.db')
  expect(of({ database: '/data/tasks.db' }, { SEMANTICA_DATABASE: 'a.db' })).toBe('a.db')
  for (const database of ['', ':memory:', 'file:a?mode=memory', 'a\0b', 5])
    expect(thrownBy(() => of({ database }), 'OPTION_INVALID').message).toContain('the path of a file')
})

test('variables that only look like ours are found, with the one that was meant', () => {
  const environment = {
    SEMANTICA_THREDS: '4',
    SEMANTICA_JOB_ID: 'job',
    SEMANTICA_CONFIG: 'a.json',
    SEMANTICA_COLOUR_OF_THE_SKY: 'blue',
    OTHER: '1',
  }
  expect(findUnknownVariables(environment)).toEqual([
    { name: 'SEMANTICA_THREDS', meant: 'SEMANTICA_THREADS' },
    { name: 'SEMANTICA_COLOUR_OF_THE_SKY', meant: undefined },
  ])
})

test('every variable that the sources name is one of the tables, and so listed and checked', () => {
  const folder = join(import.meta.dirname, '../../src')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const named = files.flatMap(
    (name) => readFileSync(join(folder, name), 'utf8').match(/\bSEMANTICA_[A-Z_]+[A-Z]\b/g) ?? [],
  )
  // Codes of warnings.
  const others = ['SEMANTICA_LISTENER_THREW', 'SEMANTICA_MEASURE_FAILED', 'SEMANTICA_TELEMETRY_FAILED']
  const environment = Object.fromEntries(named.map((name) => [name, '']))
  expect(
    findUnknownVariables(environment)
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(others)
})

test.each([
  ['thread', 'threads'],
  ['Threads', 'threads'],
  ['stop_grace_ms', 'stopGraceMs'],
  ['stopGrace', 'stopGraceMs'],
  ['graceOfStop', undefined],
  ['x', undefined],
])('%s was probably %s', (name, meant) => {
  expect(nearestName(name, ['threads', 'stopGraceMs', 'logLevel'])).toBe(meant)
})
