/** A PostgreSQL of the bench's own: started for each trial, with an empty database. */
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname } from 'node:path'
import { findFreePort, findProgram, type RunAs, type Server, startServer, versionOf } from './programs.ts'
import type { ServerHost } from './servers.ts'

const database = 'bench'
const administrator = 'postgres'

export function postgresUrl(port: number | undefined): string {
  return `postgres://${administrator}@127.0.0.1:${port}/${database}`
}

/** Its defaults are of a machine of long ago; these are what a machine of its own is given. Durability is untouched. */
function settings(port: number): string[] {
  const memoryMb = totalmem() / 1_048_576
  const values = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    shared_buffers: `${Math.round(Math.min(memoryMb / 4, 1_024))}MB`,
    effective_cache_size: `${Math.round(memoryMb / 2)}MB`,
    max_wal_size: '4GB',
    random_page_cost: 1.1,
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** @throws when PostgreSQL is installed, but cannot be set up in the folder */
export function preparePostgres(newFolder: () => string): ServerHost | 'missing' {
  const [initdb, postgres, createdb, dropdb] = ['initdb', 'postgres', 'createdb', 'dropdb'].map(findProgram)
  if (initdb === undefined || postgres === undefined || createdb === undefined || dropdb === undefined) {
    return 'missing'
  }
  const folder = newFolder()
  const runAs = findRunAs(folder)
  const words = [
    '--pgdata',
    folder,
    '--username',
    administrator,
    '--auth',
    'trust',
    '--encoding',
    'UTF8',
    '--no-instructions',
  ]
  execFileSync(initdb, words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], ...runAs })
  return {
    version: versionOf(postgres),
    async start(): Promise<Server> {
      const port = await findFreePort()
      const server = await startServer(postgres, ['-D', folder, ...settings(port)], {
        port,
        cwd: folder,
        runAs,
      })
      const at = ['--host', '127.0.0.1', '--port', String(port), '--username', administrator]
      execFileSync(dropdb, [...at, '--if-exists', database], { stdio: 'ignore' })
      execFileSync(createdb, [...at, database], { stdio: ['ignore', 'ignore', 'inherit'] })
      return server
    },
  }
}

/** PostgreSQL refuses to run as root: then it is run as the user that its package has made, who is given the folder. */
function findRunAs(folder: string): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (what: '-u' | '-g'): number =>
    Number(execFileSync('id', [what, administrator], { encoding: 'utf8' }))
  const runAs = { uid: idOf('-u'), gid: idOf('-g') }
  chownSync(folder, runAs.uid, runAs.gid)
  // To reach a folder one must be allowed to pass through those above it.
  chmodSync(dirname(folder), 0o711)
  return runAs
}
