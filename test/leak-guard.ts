/**
 * Loaded before each test file: fails the file when it leaves behind a thread, a child process, an open handle, an
 * open file or a file in the temporary folder. Each file runs in a process of its own, so whatever is here at the end
 * and was not at the beginning is the file's.
 *
 * The temporary folder is the file's own: `os.tmpdir()` answers it while the file runs, children inherit it, and it
 * must be empty at the end.
 */
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import { mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { afterAll } from 'vitest'

/** How long what is already closing may take to be gone. */
const graceMs = 1_000

/** Kinds of handle that a test can forget. Those of requests under way (a read, a lookup) come and go by themselves. */
const guardedHandles: ReadonlySet<string> = new Set([
  'FSEventWrap',
  'Immediate',
  'MessagePort',
  'PipeServerWrap',
  'PipeWrap',
  'StatWatcher',
  'TCPServerWrap',
  'TCPSocketWrap',
  'Timeout',
  'UDPWrap',
])

const threads = new Set<Worker>()
const children = new Set<ChildProcess>()

subscribe('worker_threads', (message) => {
  const { worker } = message as { worker: Worker }
  threads.add(worker)
  worker.once('exit', () => threads.delete(worker))
})

subscribe('child_process', (message) => {
  const { process: child } = message as { process: ChildProcess }
  children.add(child)
  child.once('exit', () => children.delete(child))
  child.once('error', () => children.delete(child))
})

const outerFolder = process.env.TMPDIR
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'semantica-test-')))
process.env.TMPDIR = folder

// The standard streams open their pipes when first read; they are the process's own.
void [process.stdin, process.stdout, process.stderr]
const handlesBefore = countHandles()

afterAll(async () => {
  const deadline = performance.now() + graceMs
  let left = findLeft()
  while (left.length > 0 && performance.now() < deadline) {
    await turn()
    left = findLeft()
  }
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(Array.from(threads, (thread) => thread.terminate()))
  restoreFolder()
  if (left.length > 0) throw new Error(`This test file left behind: ${left.join('; ')}`)
})

function findLeft(): string[] {
  return [
    ...Array.from(threads, (thread) => `thread ${thread.threadId}`),
    ...Array.from(children, (child) => `process ${child.pid}: ${child.spawnargs.join(' ').slice(0, 120)}`),
    ...addedHandles(),
    ...openFiles().map((path) => `open file ${path}`),
    ...readdirSync(folder).map((name) => `temporary file ${name}`),
  ]
}

function countHandles(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

function addedHandles(): string[] {
  const added: string[] = []
  for (const [kind, count] of countHandles()) {
    const more = count - (handlesBefore.get(kind) ?? 0)
    if (more > 0 && guardedHandles.has(kind)) added.push(`${more} ${kind}`)
  }
  return added
}

/** Open files below the temporary folder: databases, mostly, whether or not the file was removed since. Linux only. */
function openFiles(): string[] {
  const paths: string[] = []
  for (const descriptor of process.platform === 'linux' ? readdirSync('/proc/self/fd') : []) {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`)
      if (path.startsWith(folder)) paths.push(path)
    } catch {
      // The descriptor that read the folder is closed by now.
    }
  }
  return paths
}

function restoreFolder(): void {
  if (outerFolder === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = outerFolder
  rmSync(folder, { recursive: true, force: true })
}
