/**
 * Starts a process that waits at a gate before it becomes the program: whoever opens the gate has written down before
 * which process it is. Should the engine die in between, the gate's pipe ends, and with it the process.
 *
 * The process is the leader of a session and a process group of its own, and stays the same process as it becomes the
 * program.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { assert } from '../errors.ts'

/**
 * Run as `sh -c <this> sh <program> <args…>`. Exit code 126: the gate never opened. Where the system refuses the program the
 * shell is still there, and says so through the gate, with an exit code of 126 or 127; of a shell that does not, it looks
 * as if the program had ended so. Some shells also say it when a signal ends them: that is no refusal.
 */
const gateScript = 'read -r _ <&3 || exit 126; trap "echo >&3" EXIT; exec "$@" 3<&-'

export interface GatedProcess {
  readonly pid: number
  /** Resolves when the process has ended; what it wrote may still be under way. */
  readonly exited: Promise<ProcessExit>
  readonly stdout: Readable
  readonly stderr: Readable
  /** Lets the program begin. */
  open(): void
  /** Ends the process: the gate will not open. */
  dismiss(): void
}

export interface ProcessExit {
  readonly exitCode: number | null
  readonly signal: string | null
  /** The system has refused to execute the program: all that it wrote is the shell's word for why. */
  readonly isRefused: boolean
}

interface Begun {
  /** Absolute path. */
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly stdin: string | undefined
}

/** Rejects with what the system says when no process could be started. */
export async function spawnBehindGate({ command, args, env, cwd, stdin }: Begun): Promise<GatedProcess> {
  const child = spawn('/bin/sh', ['-c', gateScript, 'sh', command, ...args], {
    cwd,
    env,
    detached: true,
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
  })
  const ended = endOf(child)
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  const { pid, stdout, stderr } = child
  assert(pid !== undefined && stdout !== null && stderr !== null, 'a process that was spawned has these')
  // The boundary: the fourth of the streams above.
  const gate = child.stdio[3] as Duplex
  const refusal = refusalThrough(gate)
  // A program that does not read its input, or ends early, breaks the pipe. That is its own affair.
  for (const stream of [gate, child.stdin]) stream?.on('error', () => {})
  return {
    pid,
    exited: Promise.all([ended, refusal]).then(([end, isTold]) => ({
      ...end,
      isRefused: isTold && isRefusal(end),
    })),
    stdout,
    stderr,
    open() {
      gate.end('\n')
      child.stdin?.end(stdin)
    },
    dismiss() {
      gate.destroy()
      child.stdin?.destroy()
    },
  }
}

function endOf(child: ChildProcess): Promise<Omit<ProcessExit, 'isRefused'>> {
  return new Promise((resolve) => child.once('exit', (exitCode, signal) => resolve({ exitCode, signal })))
}

function isRefusal({ exitCode }: Pick<ProcessExit, 'exitCode'>): boolean {
  return exitCode === 126 || exitCode === 127
}

/** Whether anything came through it. It closes with the process at the latest: nobody else has its other end. */
function refusalThrough(gate: Duplex): Promise<boolean> {
  return new Promise((resolve) => {
    let isRefused = false
    gate.on('data', () => {
      isRefused = true
    })
    gate.once('close', () => resolve(isRefused))
  })
}
