import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'

/** A line of the log, as a program reads it. */
export interface LogLine {
  readonly timestamp: string
  readonly level: string
  readonly trace_id: string
  readonly target: string
  readonly fields: {
    readonly job_id?: string
    readonly job_type?: string
    readonly from_state?: string
    readonly state?: string
    readonly cause?: string
    readonly code?: string
    readonly request?: string
    readonly error?: { readonly message: string; readonly code?: string; readonly details?: object }
    readonly [name: string]: unknown
  }
  readonly message: string
}

interface LoggingProcess {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  /** Ids of its jobs, by what it calls them. */
  readonly jobs: ReadonlyMap<string, string>
  /** Whether it came to its own end. */
  readonly hasStopped: boolean
  readonly stderr: string
}

const host = fileURLToPath(new URL('../fixtures/logs/host.ts', import.meta.url))

/** Runs a part of the scripted workload in a process of its own, to its end. */
export async function runHost(
  part: 'workload' | 'poison' | 'refusals',
  database: string,
  environment: Readonly<Record<string, string>>,
  stderrFile: number | 'pipe' | 'closed pipe' = 'pipe',
): Promise<LoggingProcess> {
  const child = spawn(process.execPath, [host, part, database], {
    stdio: ['ignore', 'pipe', stderrFile === 'closed pipe' ? 'pipe' : stderrFile],
    env: { ...process.env, ...environment },
  })
  if (stderrFile === 'closed pipe') child.stderr?.destroy()
  const [stdout, stderr, [status, signal]] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    stderrFile !== 'pipe' || child.stderr === null ? '' : text(child.stderr),
    once(child, 'close'),
  ])
  const jobs = stdout
    .trim()
    .split('\n')
    .flatMap((line): [string, string][] => {
      const [name, id] = line.split(' ')
      return name === undefined || id === undefined ? [] : [[name, id]]
    })
  const names = new Map(jobs)
  const hasStopped = names.delete('stopped')
  return { status, signal, jobs: names, hasStopped, stderr }
}

/** Reads a log, every line of which must have exactly the promised form. */
export function parseLog(log: string): LogLine[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const parsed = JSON.parse(line) as LogLine
      expect(Object.keys(parsed)).toEqual(['timestamp', 'level', 'trace_id', 'target', 'fields', 'message'])
      expect(parsed.timestamp).toBe(new Date(parsed.timestamp).toISOString())
      expect(parsed.level).toMatch(/^(?:ERROR|WARN|INFO|DEBUG)$/)
      expect(parsed.target).toMatch(/^semantica\.[a-z]+$/)
      for (const name of Object.keys(parsed.fields)) expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
      return parsed
    })
}
