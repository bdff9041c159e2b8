/** How commands print jobs. */
import type { JobDetails, JobRecord } from '../engine/job-record.ts'
import { printable } from './printable.ts'

const maxCellCharacters = 1_000

/** Lines whose cells stand under each other. The last cell of a line is not filled up. */
export function inColumns(lines: readonly (readonly string[])[]): string {
  const cells = lines.map((line) => line.map(printable))
  const widths = cells.reduce<number[]>(
    (widest, line) => line.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)),
    [],
  )
  return cells
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

export function shortened(text: string): string {
  return text.length > maxCellCharacters ? `${text.slice(0, maxCellCharacters)}…` : text
}

/** Names as in all JSON that commands print; what is not there is null, and times are text. */
export function jobAsJson(job: Partial<JobRecord> | JobDetails): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(job).map(([name, value]) => [inSnakeCase(name), value ?? null]))
}

function inSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
