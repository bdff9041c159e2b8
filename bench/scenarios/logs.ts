import { closeSync, openSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Logging } from '../engine-run.ts'
import { inFolder, runPairs, type Scenario } from '../scenario.ts'
import { rateOf, runTrial } from '../trials.ts'

const silent: Logging = { logLevel: 'silent', logFormat: 'json', logTransitions: 'failures' }
const failures: Logging = { logLevel: 'warn', logFormat: 'json', logTransitions: 'failures' }
const all: Logging = { logLevel: 'info', logFormat: 'json', logTransitions: 'all' }

export const logs: Scenario = {
  summary: 'jobs that do nothing, with a log of failures or of every transition, against none',
  pairs: 7,
  async run(settings) {
    const { isSmoke, durability } = settings
    const parameters = {
      threads: availableParallelism(),
      warmUpJobs: isSmoke ? 1_000 : 50_000,
      jobs: isSmoke ? 3_000 : 300_000,
      groups: 4,
      groupJobs: 500,
    }
    const measure = (logging: Logging, linesOfJob: number) => () =>
      inFolder(settings, async (folder) => {
        const path = join(folder, 'log.jsonl')
        const log = openSync(path, 'w')
        try {
          const trial = { ...parameters, folder, durability, logging }
          const rate = rateOf(await runTrial('engine-no-op', trial, { stderr: log }))
          checkLines(path, (parameters.warmUpJobs + parameters.jobs) * linesOfJob)
          return rate
        } finally {
          closeSync(log)
        }
      })
    const pairOf = (logging: Logging, linesOfJob: number, atLeast: number) =>
      runPairs(settings, 'jobs/s', { atLeast }, measure(logging, linesOfJob), measure(silent, 0))
    return {
      series: {
        failures_jobs_per_s: await pairOf(failures, 0, 0.95),
        // One that it runs, and one that it is done; some of a backlog have one that they wait as well.
        all_jobs_per_s: await pairOf(all, 2, 0.5),
      },
      parameters,
    }
  },
}

/** @throws when the log holds less than that, or anything where there should be nothing */
function checkLines(path: string, atLeast: number): void {
  const log = readFileSync(path)
  let lines = 0
  for (let place = log.indexOf(10); place >= 0; place = log.indexOf(10, place + 1)) lines++
  if (lines < atLeast || (atLeast === 0 && log.length > 0))
    throw new Error(`The log has ${lines} lines instead of ${atLeast}: ${log.toString('utf8', 0, 300)}`)
}
