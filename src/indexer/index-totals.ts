import { guarded, openIndexForReading } from './index-schema.ts'

/** What the whole index holds. */
export interface IndexTotals {
  readonly files: number
  readonly symbols: number
  /** Size of the indexed sources. */
  readonly bytes: number
  /** Files by language. */
  readonly languages: Readonly<Record<string, number>>
  /** Whether a run is going on, or was ended before it was done. */
  readonly isRunOpen: boolean
  /** The summary of the last run that ended, as JSON text. */
  readonly lastSummary: string | undefined
}

/**
 * Reads the totals; undefined when there is no index.
 *
 * @throws as openIndexForReading
 */
export function readTotals(path: string): IndexTotals | undefined {
  const database = openIndexForReading(path)
  if (database === undefined) return undefined
  try {
    return guarded(path, () => {
      const rows = database
        .prepare<[], [string | null, number, number, number]>(
          'SELECT language, count(*), total(symbols), total(size) FROM files GROUP BY language',
        )
        .raw()
        .all()
      const facts = new Map(
        database.prepare<[], [string, unknown]>('SELECT name, value FROM facts').raw().all(),
      )
      const indexed = rows.filter(([language]) => language !== null)
      const lastSummary = facts.get('last_summary')
      return {
        files: sum(indexed.map(([, count]) => count)),
        symbols: sum(indexed.map(([, , symbols]) => symbols)),
        bytes: sum(indexed.map(([, , , bytes]) => bytes)),
        languages: Object.fromEntries(indexed.map(([language, count]) => [language, count])),
        // None has ended: the first is not over, though it may not have begun to write.
        isRunOpen: facts.has('open_run') || lastSummary === undefined,
        lastSummary: typeof lastSummary === 'string' ? lastSummary : undefined,
      }
    })
  } finally {
    database.close()
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
