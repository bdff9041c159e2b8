/** A thread of the trial that only parses: takes the next file until there is none, and says how much it found. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { extractDefinitions } from '../src/indexer/extract.ts'
import { languageOf } from '../src/indexer/language.ts'
import type { ParseThreadData } from './trials/parse-only.ts'

// The boundary where what the trial gave gets its type.
const { root, paths, next } = workerData as ParseThreadData
let symbols = 0
for (let path = paths[Atomics.add(next, 0, 1)]; path !== undefined; path = paths[Atomics.add(next, 0, 1)]) {
  const language = languageOf(path)
  if (language === undefined) throw new Error(`There is no grammar for ${path}`)
  symbols += (await extractDefinitions(language, readFileSync(join(root, path), 'utf8'))).length
}
parentPort?.postMessage(symbols)
