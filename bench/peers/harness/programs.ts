/** Programs of other packages: where they are, and how they are run as a server beside the bench. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, globSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'

/** Names the folders in which programs are looked for, in place of PATH and Debian's. */
const foldersVariable = 'SEMANTICA_BENCH_PROGRAMS'

const killAfterMs = 5_000

export function findProgram(name: string): string | undefined {
  const chosen = process.env[foldersVariable]
  const folders = chosen?.split(delimiter) ?? [
    ...(process.env.PATH ?? '').split(delimiter),
    // Where Debian keeps PostgreSQL's, which are not in PATH; the newest first.
    ...globSync('/usr/lib/postgresql/*/bin').toSorted((one, other) =>
      other.localeCompare(one, 'en', { numeric: true }),
    ),
  ]
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What the program says of its version: the first number with a dot. */
export function versionOf(program: string): string {
  const said = execFileSync(program, ['--version'], { encoding: 'utf8' })
  return /\d+\.\d+(?:\.\d+)?/.exec(said)?.[0] ?? said.trim()
}

export interface RunAs {
  readonly uid: number
  readonly gid: number
}

/** A server that listens. */
export interface Server {
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

/**
 * Starts a server of which one line of output says that it is ready to accept connections.
 *
 * @throws with what it printed, when it ends before
 */
export async function startServer(
  program: string,
  words: readonly string[],
  { port, cwd, runAs }: { readonly port: number; readonly cwd: string; readonly runAs?: RunAs | undefined },
): Promise<Server> {
  // Should the bench be killed outright, the system ends the server as well, where there is the program for that.
  const guard = findProgram('setpriv')
  const [command, ...rest] = [
    ...(guard === undefined ? [] : [guard, '--pdeathsig', 'INT']),
    program,
    ...words,
  ]
  const child = spawn(command ?? program, rest, { cwd, stdio: ['ignore', 'pipe', 'pipe'], ...runAs })
  const ended = once(child, 'exit')
  let said = ''
  const ready = new Promise<void>((resolve, reject) => {
    const listen = (text: string): void => {
      said = (said + text).slice(-4_000)
      if (/ready to accept connections/i.test(said)) resolve()
    }
    child.stdout?.setEncoding('utf8').on('data', listen)
    child.stderr?.setEncoding('utf8').on('data', listen)
    child.once('error', reject)
    child.once('exit', () => reject(new Error(said.trim() || `${program} ended at once`)))
  })
  await ready
  return { port, pid: child.pid ?? 0, stop: () => stopServer(child, ended) }
}

async function stopServer(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  // Both PostgreSQL and Redis take this as: disconnect everybody, write what there is, and end.
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  await ended
  clearTimeout(timer)
}

/** A port of the loopback interface that nobody listens on. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('There is no free port')
  return address.port
}
