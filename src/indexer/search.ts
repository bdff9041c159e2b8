import { guarded, openIndexForReading } from './index-schema.ts'

export interface SearchHit {
  /** Relative to the indexed directory, with slashes. */
  readonly path: string
  readonly line: number
  readonly name: string
  readonly kind: string
  readonly container: string
  readonly text: string
}

/** Sorts after every character that a name can go on with. */
const afterAll = '\u{10FFFF}'

/**
 * Finds definitions by name: exact, exact but for case, then by prefix with and without case; within these by path and
 * line. `Container.name` finds the name within that container. Only A to Z are matched without case.
 *
 * @returns undefined when there is no index
 * @throws as openIndexForReading
 */
export function searchDefinitions(
  path: string,
  words: string,
  limit: number,
): readonly SearchHit[] | undefined {
  const database = openIndexForReading(path)
  if (database === undefined) return undefined
  try {
    return guarded(path, () => {
      const query = database.prepare<Record<string, unknown>, SearchHit>(
        `SELECT files.path, line, name, kind, container, text
           FROM definitions JOIN files ON files.id = definitions.file_id
          WHERE name >= @name COLLATE NOCASE AND name < @end COLLATE NOCASE
            AND (@container = '' OR container = @container OR container LIKE @suffix ESCAPE '\\')
          ORDER BY CASE
                     WHEN name = @name THEN 0
                     WHEN name = @name COLLATE NOCASE THEN 1
                     WHEN substr(name, 1, length(@name)) = @name THEN 2
                     ELSE 3
                   END, length(name), files.path, line
          LIMIT @limit`,
      )
      const find = (name: string, container: string) =>
        query.all({
          name,
          end: name + afterAll,
          container,
          suffix: `%.${container.replace(/[\\%_]/g, '\\$&')}`,
          limit,
        })
      const dot = words.lastIndexOf('.')
      const whole = find(words, '')
      // Names with dots in them are rare (quoted ones), so the container is tried only when nothing has that name.
      if (whole.length > 0 || dot < 1) return whole
      return find(words.slice(dot + 1), words.slice(0, dot))
    })
  } finally {
    database.close()
  }
}
