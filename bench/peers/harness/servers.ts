/** The servers that some contenders need: found, or left out with a line that says so. */
import { preparePostgres } from './postgres.ts'
import type { Server } from './programs.ts'
import { prepareRedis } from './redis.ts'
import { type ContenderName, factsOf, type ServerName } from './registry.ts'

/** A server that can be started, for a trial at a time. */
export interface ServerHost {
  readonly version: string
  start(): Promise<Server>
}

const kinds = {
  postgres: { title: 'PostgreSQL', debianPackage: 'postgresql', prepare: preparePostgres },
  redis: { title: 'Redis', debianPackage: 'redis-server', prepare: prepareRedis },
} as const

export interface ServerHosts {
  readonly hosts: ReadonlyMap<ServerName, ServerHost>
  /** One line for each server that is not there, with the contenders that are left out for it. */
  readonly leftOut: readonly string[]
  /** Who can take part. */
  readonly names: readonly ContenderName[]
}

export function prepareServers(names: readonly ContenderName[], newFolder: () => string): ServerHosts {
  const hosts = new Map<ServerName, ServerHost>()
  const leftOut: string[] = []
  for (const server of ['postgres', 'redis'] as const) {
    const needing = names.filter((name) => factsOf(name).server === server)
    if (needing.length === 0) continue
    const host = prepare(server, newFolder)
    if (typeof host === 'string') leftOut.push(`Left out: ${needing.join(', ')}. ${host}`)
    else hosts.set(server, host)
  }
  const remaining = names.filter((name) => {
    const { server } = factsOf(name)
    return server === undefined || hosts.has(server)
  })
  return { hosts, leftOut, names: remaining }
}

/** A text says why there is none. */
function prepare(server: ServerName, newFolder: () => string): ServerHost | string {
  const { title, debianPackage, prepare: prepareHost } = kinds[server]
  try {
    const host = prepareHost(newFolder)
    if (host !== 'missing') return host
    return `${title} is not installed (Debian: apt-get install ${debianPackage}).`
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).trim().split('\n').slice(-1)
    return `${title} cannot be started here: ${line}`
  }
}
