import { AskPort } from '../actor/port.ts'
import { ActorThread } from '../actor/thread.ts'
import { limits } from '../config.ts'
import { describe, invalidOption } from '../errors.ts'
import { checkFields } from '../job/definition.ts'
import type { BackupProtocol, BackupReport, BackupRequest } from '../store/messages.ts'

export interface BackupOptions {
  /** Whether the logs and artifacts of jobs are copied too, to `<path>-files`. Default `false`. */
  readonly files?: boolean
}

/** How long a backup that is given up may take to remove what it has written. */
const giveUpMs = 5_000

/** The host's side of backups: each has a thread of its own, and they take turns. */
export class Backups {
  readonly #database: string
  #last: Promise<unknown> = Promise.resolve()
  #thread: ActorThread | undefined
  #closedBy: Error | undefined

  constructor(database: string) {
    this.#database = database
  }

  /** @throws OPTION_INVALID, what a backup throws, and what `close` is given */
  async backUp(path: string, options: BackupOptions): Promise<BackupReport> {
    const request = checkRequest(path, options)
    const turn = this.#last.then(() => this.#run(request))
    this.#last = turn.catch(() => {})
    return turn
  }

  async close(reason: Error): Promise<void> {
    this.#closedBy = reason
    await this.#thread?.stop(giveUpMs)
    await this.#last
  }

  async #run(request: BackupRequest): Promise<BackupReport> {
    if (this.#closedBy !== undefined) throw this.#closedBy
    const thread = await ActorThread.start({
      name: 'backup',
      entry: 'backup',
      data: { path: this.#database },
      readyTimeoutMs: limits.readyTimeoutMs,
    })
    this.#thread = thread
    try {
      if (this.#closedBy !== undefined) throw this.#closedBy
      const port = new AskPort<BackupProtocol>(thread.port, { maxPending: 1, name: 'The backup' })
      return await port.ask('backup', request)
    } finally {
      await thread.stop(giveUpMs)
      this.#thread = undefined
    }
  }
}

function checkRequest(path: unknown, options: unknown): BackupRequest {
  if (typeof path !== 'string') throw invalidOption('path', describe(path), 'the path of a new file')
  checkFields('options', options)
  const unknown = Object.keys(options).find((name) => name !== 'files')
  if (unknown !== undefined) throw invalidOption(unknown, 'not an option of backup', 'files')
  const { files = false }: BackupOptions = options
  if (typeof files !== 'boolean') throw invalidOption('files', describe(files), 'true or false')
  return { target: path, files }
}
