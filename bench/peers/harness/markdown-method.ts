/** What the report says of how it was measured. */
import type { PeersFindings } from './findings.ts'
import { renderTable } from './markdown-table.ts'
import { contenderNames, factsOf } from './registry.ts'

/** What a reader has to know before comparing one row with another. */
export const notComparable = `What these tables do not say:

- **Durability.** \`power\`: what is acknowledged survives a loss of power; \`process\`: it survives the death of any process (Redis with \`appendfsync everysec\`: all but the last second of a loss of power). Compare rows of the same durability; the engine is there with both.
- **Reach.** PostgreSQL and Redis serve many machines, over a network, and other programs may read and write their tables. The engine and plainjob are embedded, in one file on one machine. Who needs the former cannot choose by these figures.
- **Server beside client.** The servers ran on the same cores as the works, as on a small machine; with a machine of their own they leave more to the workers, and add a network.
- **What is kept.** graphile-worker deletes a completed job; all others keep it, with what they know of it.
- **Where handlers run.** plainjob, graphile-worker, pg-boss and BullMQ without threads run them in the event loop of the host, where a busy handler holds up everything else: that is what the stall shows. Handlers that wait for something, and there are many, are what event loops are good at; none of the works is of that kind.`

export function renderSetups({ works: found, versions }: PeersFindings): string {
  const taking = new Set(Object.values(found).flatMap((rows) => rows.map(({ contender }) => contender)))
  const rows = contenderNames
    .filter((name) => taking.has(name))
    .map((name) => {
      const { title, packageName, server, durability, setup } = factsOf(name)
      const store = server === undefined ? '' : `, ${serverTitles[server]} ${versions[server] ?? ''}`
      return [`${title} ${versions[packageName] ?? ''}${store}`, durability, setup]
    })
  return [
    'Each as its own documentation recommends for throughput; where that leaves a choice, the best of a few values on this kind of machine. Sources stand beside the settings in `bench/peers/contenders`.',
    renderTable(['contender', 'durability', 'setup'], rows),
    `PostgreSQL runs with its defaults for durability (\`fsync\` and \`synchronous_commit\` on), a quarter of the memory, 1 GB at most, as \`shared_buffers\`, \`max_wal_size\` 4 GB and \`random_page_cost\` 1.1. Redis runs with \`appendonly yes\`, \`appendfsync everysec\` and \`maxmemory-policy noeviction\`, as BullMQ asks for in production. Both listen on the loopback interface, are started anew for each trial, and keep their files on the same disk as everybody else.`,
    'Each trial has a process of its own, warms up first, and at its end compares what the contender’s own store says with what was enqueued. Jobs of `no-op` and the enqueue works are as many as take a second or two.',
    'liteque (0.8.0) is not among them: it hands an async function to better-sqlite3’s `transaction()`, which every release that runs on Node 24 refuses (“Transaction function cannot return a promise”), so that no job is ever taken from its queue.',
  ].join('\n\n')
}

const serverTitles = { postgres: 'PostgreSQL', redis: 'Redis' } as const

export function renderEnvironment({ environment, versions }: PeersFindings): string {
  const facts = { ...environment, versions }
  return renderTable(
    ['what', 'value'],
    Object.entries(facts).map(([name, value]) => [
      name,
      typeof value === 'object' && value !== null ? describe(value) : String(value),
    ]),
  )
}

function describe(value: object): string {
  return Object.entries(value)
    .map(([name, one]) => `${name} ${Array.isArray(one) ? one.join(' ') : one}`)
    .join(', ')
}

export function renderRepeat(): string {
  return `\`\`\`console
npm run bench:peers:install
npm run bench:report
\`\`\`

It takes about 20 minutes on two cores, and wants the machine for itself. PostgreSQL and Redis are used when they are installed (Debian: \`apt-get install postgresql redis-server\`); the bench starts its own, on free ports, and removes them at the end. One table alone: \`npm run --silent bench -- peers --work no-op --peers ours-power,graphile-worker\`. The same report from the same numbers: \`npm run bench:report -- --from bench/results.json\`.`
}
