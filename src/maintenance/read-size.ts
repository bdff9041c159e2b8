import type { Database } from '../store/open.ts'
import type { DatabaseSize } from '../supervisor/messages.ts'

/** As of the last commit. */
export function readSize(database: Database): DatabaseSize {
  return { pages: readPragma(database, 'page_count'), freePages: readPragma(database, 'freelist_count') }
}

function readPragma(database: Database, name: 'page_count' | 'freelist_count'): number {
  return Number(database.pragma(name, { simple: true }))
}
