import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { engineError } from '../errors.ts'
import { maxJsonCharacters } from '../job/json.ts'
import { removeFolder } from './clean-up.ts'

/** The file in which a program may leave its result, in a folder of its own. */
export class ResultFile {
  readonly path: string

  constructor(runsFolder: string, runId: string) {
    this.path = join(runsFolder, runId, 'result.json')
    mkdirSync(dirname(this.path), { recursive: true })
  }

  /**
   * What the program wrote; undefined when it wrote nothing.
   *
   * @throws RESULT_TOO_LARGE
   */
  read(): string | undefined {
    const bytes = statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
    if (bytes === 0) return undefined
    if (bytes > maxJsonCharacters * 4) {
      throw engineError('RESULT_TOO_LARGE', {
        found: `The result file has ${bytes.toLocaleString('en')} bytes`,
        allowed: `${maxJsonCharacters.toLocaleString('en')} characters`,
        action: 'Write large results to a file of your own, and its path to the result.',
      })
    }
    return readFileSync(this.path, 'utf8')
  }

  /** @throws what the system says when the program has left something that cannot be removed */
  remove(): void {
    removeFolder(dirname(this.path))
  }
}
