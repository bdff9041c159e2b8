import { type Finding, isWithin, targetOf } from './findings.ts'
import type { Import, Source } from './source.ts'

/** Imports point down this table only; within one floor only inside a place. */
const floors: readonly (readonly [floor: number, place: string])[] = [
  [8, 'workers/'],
  [8, 'src/cli/'],
  [8, 'src/index.ts'],
  [8, 'src/client.ts'],
  [7, 'src/indexer/'],
  [7, 'src/daemon/'],
  [6, 'src/engine/'],
  [5, 'src/maintenance/'],
  [5, 'src/subprocess/'],
  [4, 'src/supervisor/'],
  [3, 'src/jobs.ts'],
  [3, 'src/execution/'],
  [3, 'src/store/'],
  [3, 'src/telemetry/'],
  [2, 'src/actor/'],
  [2, 'src/job/'],
  [2, 'src/config.ts'],
  [2, 'src/config/'],
  [1, 'src/errors.ts'],
  [1, 'src/errors/'],
  [1, 'src/clock.ts'],
]

/** Imports along a floor that are wanted nevertheless, each with its reason. */
const allowedAlong: readonly (readonly [from: string, to: string, reason: string])[] = [
  ['src/config.ts', 'src/config/', 'the door of the folder, for everybody else'],
  ['src/errors.ts', 'src/errors/', 'the same'],
  ['src/config.ts', 'src/job/', 'options of the engine are bounded by what a job may have'],
  ['src/execution/', 'src/telemetry/', 'an attempt is traced in the thread it runs in'],
  ['src/config/', 'src/job/', 'the same'],
]

/** Threads with a mailbox: from outside only the words of their messages may be seen, and only as types. */
const actorFolders: readonly string[] = ['src/supervisor/', 'src/maintenance/']

/** The built-in workload is a user like any other, so it gets what users get; beside that only the ground floor. */
const openToIndexer: readonly string[] = [
  'src/indexer/',
  'src/engine/engine.ts',
  'src/jobs.ts',
  'src/config.ts',
  'src/errors.ts',
  'src/clock.ts',
]

/** Every file stands on a floor, and imports only from below. */
export function checkFloors(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ path }) => path.startsWith('src/') || path.startsWith('workers/'))
    .flatMap((source) => {
      const own = placeOf(source.path)
      if (own === undefined) {
        return [
          { path: source.path, line: 0, text: 'stands on no floor; add its folder to the layout table' },
        ]
      }
      return source.imports.flatMap((one) => {
        const target = one.kind === 'import' ? targetOf(source, one) : undefined
        const text = target === undefined ? undefined : refusal(source.path, own, one, target)
        return text === undefined ? [] : [{ path: source.path, line: one.line, text }]
      })
    })
}

function placeOf(path: string): (typeof floors)[number] | undefined {
  return floors.find(([, place]) => isWithin(path, [place]))
}

function refusal(
  path: string,
  [floor, place]: (typeof floors)[number],
  { typeOnly }: Import,
  target: string,
): string | undefined {
  if (isWithin(target, [place]) && place.endsWith('/')) return undefined
  const other = placeOf(target)
  if (other === undefined)
    return `${target} is not allowed here, use what stands on a floor of the layout table`
  if (other[0] > floor)
    return `${target} (floor ${other[0]}) is not allowed here on floor ${floor}, use what is below`
  if (
    other[0] === floor &&
    !allowedAlong.some(([from, to]) => isWithin(path, [from]) && isWithin(target, [to]))
  ) {
    return `${target} is not allowed here, use what is below floor ${floor}: neighbours do not import each other`
  }
  if (path.startsWith('src/indexer/') && !isWithin(target, openToIndexer)) {
    return `${target} is not allowed here, use src/jobs.ts or src/engine/engine.ts: the indexer has no private door`
  }
  const actor = actorFolders.find((folder) => isWithin(target, [folder]))
  if (actor !== undefined && path.startsWith('src/') && !(target === `${actor}messages.ts` && typeOnly)) {
    return `${target} is not allowed here, use \`import type\` from ${actor}messages.ts: it runs on another thread`
  }
  return undefined
}
