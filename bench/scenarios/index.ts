import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { systemClock } from '../../src/clock.ts'
import { build } from '../build.ts'
import { inFolder, round, type Scenario, type ScenarioSettings } from '../scenario.ts'
import { copySourceTree, megabytes, type SourceTree } from '../source-tree.ts'
import { rateOf, runTrial } from '../trials.ts'

const emptyStarts = 5
const repository = resolve(import.meta.dirname, '../..')

/** What `semantica index --json` prints, as far as it is checked. */
interface IndexSummary {
  readonly indexed: number
  readonly unchanged: number
  readonly skipped: number
  readonly failed: number
  readonly symbols: number
}

export const index: Scenario = {
  summary: 'semantica index on real sources, against only parsing them; and again with nothing changed',
  pairs: 7,
  async run(settings) {
    return inFolder(settings, async (folder) => {
      const { isSmoke, tell } = settings
      const tree = copySourceTree(join(folder, 'tree'), isSmoke)
      tell(`${tree.paths.length} files, ${megabytes(tree.bytes)} MB: ${JSON.stringify(tree.contents)}`)
      const command = isSmoke
        ? join(repository, 'src/cli/semantica.ts')
        : join(await build(folder), 'src/cli/semantica.js')
      const runs = await measureRuns(settings, tree, command)
      const rate = (elapsedMs: number) => rateOf({ units: tree.bytes / 1e6, elapsedMs })
      return {
        series: {
          cold_mb_per_s: {
            unit: 'MB/s',
            values: runs.coldMs.map(rate),
            references: runs.parseMs.map(rate),
            bar: { atLeast: 0.85 },
          },
          unchanged_ms: {
            unit: 'ms',
            values: runs.unchangedMs,
            references: runs.coldMs,
            bar: { atMost: 0.05 },
          },
        },
        parameters: {
          threads: availableParallelism(),
          files: tree.paths.length,
          mb: megabytes(tree.bytes),
          tree: tree.contents,
          subtracted_start_ms: runs.startMs.map(round),
        },
      }
    })
  },
}

/** How long a Node takes that has nothing to do: the shortest of several, so that too little is subtracted, not too much. */
async function measureEmptyStart(): Promise<number> {
  const startsMs: number[] = []
  for (let run = 0; run < emptyStarts; run++) startsMs.push((await runNode(['--eval', '0'])).elapsedMs)
  return Math.min(...startsMs)
}

/** One of each for every pair. */
interface Runs {
  readonly startMs: number[]
  readonly coldMs: number[]
  readonly unchangedMs: number[]
  readonly parseMs: number[]
}

async function measureRuns(settings: ScenarioSettings, tree: SourceTree, command: string): Promise<Runs> {
  const runs: Runs = { startMs: [], coldMs: [], unchangedMs: [], parseMs: [] }
  const { root, paths, bytes } = tree
  const files = paths.length
  for (let pair = 1; pair <= settings.pairs; pair++) {
    const threads = availableParallelism()
    const parsed = await runTrial('parse-only', { root, paths, bytes, threads })
    const startMs = await measureEmptyStart()
    const [coldMs, unchangedMs] = await inFolder(settings, async (state) => {
      const cold = await runIndex(command, root, state)
      check(cold.summary, {
        indexed: files,
        unchanged: 0,
        skipped: 0,
        failed: 0,
        symbols: parsed.symbols ?? 0,
      })
      const again = await runIndex(command, root, state)
      check(again.summary, {
        indexed: 0,
        unchanged: files,
        skipped: 0,
        failed: 0,
        symbols: parsed.symbols ?? 0,
      })
      return [cold.elapsedMs - startMs, again.elapsedMs - startMs] as const
    })
    runs.startMs.push(startMs)
    runs.coldMs.push(coldMs)
    runs.unchangedMs.push(unchangedMs)
    runs.parseMs.push(parsed.elapsedMs)
    settings.tell(
      `pair ${pair} of ${settings.pairs}: cold ${round(coldMs)} ms, unchanged ${round(unchangedMs)} ms, ` +
        `parse only ${round(parsed.elapsedMs)} ms`,
    )
  }
  return runs
}

async function runIndex(command: string, root: string, state: string) {
  const { output, elapsedMs } = await runNode([command, 'index', root, '--state', state, '--json'])
  // The boundary where the summary gets its type.
  return { summary: JSON.parse(output) as IndexSummary, elapsedMs }
}

/** @throws when the process does not end well */
async function runNode(words: readonly string[]): Promise<{ output: string; elapsedMs: number }> {
  const beginMs = systemClock.monotonicMs()
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const elapsedMs = systemClock.monotonicMs() - beginMs
  if (code !== 0) throw new Error(`node ${words.join(' ')} ended with ${code}: ${output}`)
  return { output, elapsedMs }
}

/** @throws when the run did not do what it should have done */
function check(summary: IndexSummary, expected: IndexSummary): void {
  for (const [name, value] of Object.entries(expected)) {
    const found = summary[name as keyof IndexSummary]
    if (found !== value) throw new Error(`semantica index says ${name} ${found}, not ${value}`)
  }
}
