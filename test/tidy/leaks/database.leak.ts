import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'vitest'

const held: unknown[] = []

test('removes its folder, but leaves the database in it open', () => {
  const folder = mkdtempSync(join(tmpdir(), 'removed-'))
  held.push(new Database(join(folder, 'left-open.db')))
  rmSync(folder, { recursive: true })
})
