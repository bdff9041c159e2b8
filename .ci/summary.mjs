// Prints `N passed, N failed` from vitest's JSON report, and fails unless something ran and nothing failed.
// usage: node summary.mjs REPORT STATUS, with STATUS the exit code of the test command
import { readFileSync } from 'node:fs'

const [reportPath, status] = process.argv.slice(2)
let passed = 0
let failed = 0
try {
  const report = JSON.parse(readFileSync(reportPath, 'utf8'))
  // A file can fail beside its tests: it does not load, its clean-up throws, it leaves a thread behind.
  const failedFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
  )
  passed = report.numPassedTests
  failed = report.numFailedTests + failedFiles.length
} catch (error) {
  console.error(`No test ran: ${error.message}`)
}
// An error outside of any test, or a check before the tests, fails the command although no test failed.
if (status !== '0' && failed === 0) failed = 1
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
