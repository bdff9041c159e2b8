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

const isNamed = 'definitions.name >= @name COLLATE NOCASE AND definitions.name < @end COLLATE NOCASE'

/** From the index of names alone. */
const byName = `SELECT id FROM definitions WHERE ${isNamed}`

/** The details of each file that has such a name are unpacked once. */
const byNameAndContainer = `
  SELECT definitions.id
    FROM (SELECT DISTINCT id >> 32 AS file_id FROM definitions WHERE ${isNamed}) AS candidates
   CROSS JOIN details ON details.file_id = candidates.file_id
   CROSS JOIN json_each(details.packed, '$[2]') AS containers
   CROSS JOIN definitions ON definitions.id = (candidates.file_id << 32) | containers.key
   WHERE (containers.value = @container OR containers.value LIKE @suffix ESCAPE '\\') AND ${isNamed}`

/** Within a file definitions are numbered by line. What their details hold is looked up once they are few. */
const hitsOf = (ids: string) => `
  WITH hits AS MATERIALIZED (
    SELECT row_number() OVER () AS place, id >> 32 AS file_id, id & 0xFFFFFFFF AS ordinal, path, name
      FROM (SELECT definitions.id, path, name
              FROM (${ids}) AS matches
             CROSS JOIN definitions ON definitions.id = matches.id
             CROSS JOIN files ON files.id = matches.id >> 32
             ORDER BY CASE
                        WHEN name = @name THEN 0
                        WHEN name = @name COLLATE NOCASE THEN 1
                        WHEN substr(name, 1, length(@name)) = @name THEN 2
                        ELSE 3
                      END, length(name), path, definitions.id
             LIMIT @limit)
  )
  SELECT path,
         json_extract(packed, '$[1][' || ordinal || ']') AS line,
         name,
         json_extract(packed, '$[0][' || ordinal || ']') AS kind,
         json_extract(packed, '$[2][' || ordinal || ']') AS container,
         json_extract(packed, '$[3][' || ordinal || ']') AS text
    FROM hits CROSS JOIN details ON details.file_id = hits.file_id
   ORDER BY place`

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
      const find = (name: string, container?: string) =>
        database
          .prepare<Record<string, unknown>, SearchHit>(
            hitsOf(container === undefined ? byName : byNameAndContainer),
          )
          .all({
            name,
            end: name + afterAll,
            limit,
            ...(container === undefined
              ? {}
              : { container, suffix: `%.${container.replace(/[\\%_]/g, '\\$&')}` }),
          })
      const dot = words.lastIndexOf('.')
      const whole = find(words)
      // Names with dots in them are rare (quoted ones), so the container is tried only when nothing has that name.
      if (whole.length > 0 || dot < 1) return whole
      return find(words.slice(dot + 1), words.slice(0, dot))
    })
  } finally {
    database.close()
  }
}
