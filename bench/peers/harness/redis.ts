/** A Redis of the bench's own: a new and empty one for each trial. */
import { findFreePort, findProgram, type Server, startServer, versionOf } from './programs.ts'
import type { ServerHost } from './servers.ts'

/** https://docs.bullmq.io/guide/going-to-production: AOF, written out every second, and nothing is ever evicted. */
const settings = {
  bind: '127.0.0.1',
  appendonly: 'yes',
  appendfsync: 'everysec',
  'maxmemory-policy': 'noeviction',
  // Snapshots are for backups; the AOF is what a restart reads.
  save: '',
} as const

export function prepareRedis(newFolder: () => string): ServerHost | 'missing' {
  const program = findProgram('redis-server')
  if (program === undefined) return 'missing'
  return {
    version: versionOf(program),
    async start(): Promise<Server> {
      const [port, cwd] = [await findFreePort(), newFolder()]
      const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
      return startServer(program, [...words, '--port', String(port), '--dir', cwd], { port, cwd })
    },
  }
}
