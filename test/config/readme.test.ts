/** Goal: README.md says of each option what the code does. Method: the rows of its tables are made from the tables of the code. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { alertOptions, alertsSwitch } from '../../src/config/alerts.ts'
import { databaseOption } from '../../src/config/database.ts'
import { maintenanceOptions, maintenanceSwitch } from '../../src/config/maintenance.ts'
import { metricsOptions, metricsSwitch } from '../../src/config/metrics.ts'
import type { Option } from '../../src/config/option.ts'
import { programOptions } from '../../src/config/programs.ts'
import { throttleOptions, throttleSwitch } from '../../src/config/throttle.ts'
import { tuningOptions } from '../../src/config/tuning.ts'

const path = join(import.meta.dirname, '../../README.md')

const rows: readonly string[] = [
  ['database', databaseOption] as const,
  ...Object.entries<Option>(tuningOptions),
  ['throttle', throttleSwitch] as const,
  ...Object.entries<Option>(throttleOptions),
  ['maintenance', maintenanceSwitch] as const,
  ...Object.entries<Option>(maintenanceOptions),
  ...Object.entries<Option>(programOptions),
  ['metrics', metricsSwitch] as const,
  ...Object.entries<Option>(metricsOptions),
  ['alerts', alertsSwitch] as const,
  ...Object.entries<Option>(alertOptions),
].map(([name, option]) => rowOf(name, option))

function rowOf(name: string, option: Option): string {
  const cells = [`\`${name}\``, `\`${option.variable}\``, defaultOf(option), meaningOf(option)]
  return `| ${cells.join(' | ')} |`
}

function defaultOf({ fallback, fallbackText }: Option): string {
  if (fallbackText !== undefined) return fallbackText
  const value = fallback()
  return typeof value === 'number' ? value.toLocaleString('en') : `\`${String(value)}\``
}

function meaningOf(option: Option): string {
  if (option.kind !== 'number') return option.meaning
  return `${option.meaning}; ${option.minimum.toLocaleString('en')} to ${option.maximum.toLocaleString('en')}`
}

test('the docstring of each option names its variable', () => {
  const folder = join(import.meta.dirname, '../../src/config')
  const docs = ['tuning.ts', 'throttle.ts', 'programs.ts'].flatMap((name) => [
    ...readFileSync(join(folder, name), 'utf8').matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2}readonly (\w+): /g,
    ),
  ])
  const documented = new Map(docs.map(([, text = '', name = '']) => [name, text]))
  const tables = { ...tuningOptions, ...throttleOptions, ...programOptions }
  for (const [name, { variable }] of Object.entries<Option>(tables)) {
    expect(documented.get(name)).toContain(`\`${variable}\``)
  }
})

test('README.md has a row for each option, as the code has it', () => {
  const readme = readFileSync(path, 'utf8')
  const written = rows.reduce(
    (text, row) =>
      text.replace(
        // Its name and its variable: two groups may have an option of the same name.
        new RegExp(`^${row.split(' | ', 2).join(' | ').replaceAll('|', '\\|')} .*$`, 'm'),
        () => row,
      ),
    readme,
  )
  if (process.env.SEMANTICA_WRITE_README === '1') writeFileSync(path, written)
  for (const row of rows) {
    expect(
      written.split('\n'),
      'give it a row that begins so, then run: SEMANTICA_WRITE_README=1 npx vitest run test/config/readme.test.ts',
    ).toContain(row)
  }
  expect(
    readFileSync(path, 'utf8'),
    'after a wanted change run: SEMANTICA_WRITE_README=1 npx vitest run test/config/readme.test.ts',
  ).toBe(written)
})
