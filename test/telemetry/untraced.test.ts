/**
 * Goal: whoever has no traces pays nothing for them. Method: a process of its own, that watches what is loaded in it; and
 * the table.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { readTable } from '../engine/open-engine.ts'

const host = fileURLToPath(new URL('../fixtures/telemetry/untraced-host.ts', import.meta.url))

test('without an SDK nothing of OpenTelemetry is loaded, and nothing is stored', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'untraced-'))
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [host, folder])
    expect(JSON.parse(stdout)).toEqual({ inThread: [], inHost: [], traceId: null })
    const rows = readTable(join(folder, 'tasks.db'), 'SELECT trace_id, traceparent FROM jobs')
    expect(rows).toEqual([{ trace_id: null, traceparent: null }])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
