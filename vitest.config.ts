import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** A hang guard, not an expectation: what a test waits for arrives by an event, or something is broken. */
const guardMs = process.env.SEMANTICA_TEST_FULL === undefined ? 60_000 : 300_000

/** Where to write the JSON report as well; set by .ci/run. */
const report = process.env.SEMANTICA_TEST_REPORT

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/leak-guard.ts'],
    // Processes, one for each file: worker threads inside threads, native modules and exits need one of their own.
    pool: 'forks',
    // Tests start hundreds of threads and processes from TypeScript sources: without a cache each of them strips and
    // compiles fifty files anew, which is most of what the suite costs.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compile') },
    isolate: true,
    maxWorkers: 2,
    testTimeout: guardMs,
    hookTimeout: guardMs,
    teardownTimeout: 10_000,
    // A file that collects nothing is a mistake, and so is a run of nothing.
    passWithNoTests: false,
    allowOnly: false,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
})
