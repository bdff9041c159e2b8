/** The engine's own scenarios, as the report runs them: each beside a reference of its own, by the same command. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Figure } from '../../scenario.ts'

/** In the order in which the report shows them. One that this version of the bench does not have is passed over. */
const ownScenarios = [
  'throughput',
  'floor',
  'enqueue',
  'latency',
  'backlog',
  'burst',
  'cancel',
  'supersede',
  'cpu',
  'index',
] as const

/** What a scenario prints with --json. */
export interface ScenarioFindings {
  readonly scenario: string
  readonly figures: Readonly<Record<string, Figure>>
  readonly environment: Readonly<Record<string, unknown>> & {
    readonly spread?: Readonly<
      Record<string, Readonly<Record<string, { readonly min: number; readonly max: number }>>>
    >
    readonly bars?: Readonly<Record<string, Readonly<Record<string, number>>>>
  }
}

const unknownScenario = 2

/** A text for each that failed. */
export async function runOwnScenarios(
  { isSmoke, pairs }: { readonly isSmoke: boolean; readonly pairs: number | undefined },
  tell: (line: string) => void,
): Promise<{ readonly scenarios: readonly ScenarioFindings[]; readonly failures: readonly string[] }> {
  const scenarios: ScenarioFindings[] = []
  const failures: string[] = []
  for (const [index, name] of ownScenarios.entries()) {
    tell(`own scenario ${index + 1} of ${ownScenarios.length}: ${name}`)
    const options = [
      ...(isSmoke ? ['--smoke'] : []),
      ...(pairs === undefined ? [] : ['--pairs', String(pairs)]),
    ]
    const { code, stdout, stderr } = await runBench([name, '--json', ...options])
    // The boundary where what the command printed gets its type.
    if (code === 0) scenarios.push(JSON.parse(stdout) as ScenarioFindings)
    else if (code !== unknownScenario) failures.push(`${name}: ${stderr.trim()}`)
  }
  return { scenarios, failures }
}

async function runBench(words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const main = fileURLToPath(new URL('../../main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code: Number(code ?? 1), stdout, stderr }
}
