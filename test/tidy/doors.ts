import { type Finding, isWithin, packageOf } from './findings.ts'
import type { Source } from './source.ts'

/** Something that only one place may touch. */
interface Door {
  readonly what: RegExp
  readonly allowed: readonly string[]
  readonly instead: string
}

const packageDoors: readonly Door[] = [
  {
    what: /^better-sqlite3$/,
    allowed: ['src/store/', 'src/indexer/'],
    instead: 'src/store, the only place that opens databases',
  },
  { what: /^piscina$/, allowed: ['src/supervisor/boot-thread.ts'], instead: 'src/supervisor/boot-thread.ts' },
  {
    what: /^(?:pino|prom-client|@opentelemetry\/.*)$/,
    allowed: ['src/telemetry/'],
    instead: 'the events of src/telemetry',
  },
  { what: /tree-sitter/, allowed: ['src/indexer/'], instead: 'src/indexer' },
  { what: /^(?:commander|cli-progress)$/, allowed: ['src/cli/'], instead: 'src/cli' },
]

const useDoors: readonly Door[] = [
  { what: /^new Worker$/, allowed: ['src/actor/'], instead: 'ActorThread.start of src/actor' },
  { what: /^process\.env$/, allowed: ['src/config.ts'], instead: 'src/config.ts' },
  {
    what: /^process\.(?:exit|reallyExit|abort)$/,
    allowed: ['src/cli/', 'src/actor/thread-start.ts', 'src/execution/put-down.ts'],
    instead: 'an error: only the command, and the one place where a thread ends itself, may exit',
  },
  {
    what: /^console$/,
    allowed: ['src/cli/', 'src/execution/job-console.ts'],
    instead: 'an event of src/telemetry',
  },
  {
    what: /^(?:Date\.now|performance\.now|process\.hrtime|new Date without a time)$/,
    allowed: ['src/clock.ts'],
    instead: 'the clock of src/clock.ts: wallMs for what is stored, monotonicMs for what is measured',
  },
  {
    what: /^(?:(?:timers\.|timers\/promises\.)?(?:setTimeout|setInterval|setImmediate)|timers.*\.(?:\*|default)|AbortSignal\.timeout)$/,
    allowed: ['src/clock.ts'],
    instead: 'the timers of src/clock.ts',
  },
]

/** Each door is used only where the layout table says. Tests and the bench are outside of the house. */
export function checkDoors(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ path }) => path.startsWith('src/') || path.startsWith('workers/'))
    .flatMap((source) => [...throughPackages(source), ...throughUses(source)])
}

function throughPackages({ path, imports }: Source): Finding[] {
  return imports.flatMap(({ specifier, line }) => {
    const name = packageOf(specifier) ?? ''
    const door = packageDoors.find(({ what, allowed }) => what.test(name) && !isWithin(path, allowed))
    return door === undefined ? [] : [refusal(path, line, name, door)]
  })
}

function throughUses({ path, uses }: Source): Finding[] {
  return uses.flatMap(({ name, line }) => {
    const door = useDoors.find(({ what, allowed }) => what.test(name) && !isWithin(path, allowed))
    return door === undefined ? [] : [refusal(path, line, name, door)]
  })
}

function refusal(path: string, line: number, name: string, { instead }: Door): Finding {
  return { path, line, text: `${name} is not allowed here, use ${instead}` }
}
