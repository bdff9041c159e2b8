import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { discoverFiles } from '../../src/indexer/discover.ts'
import indexJobs, { type IndexFileOutcome, type IndexFilePayload } from '../../src/indexer/index-jobs.ts'
import type { IndexMessage, SingleMessage } from '../../src/indexer/index-messages.ts'
import { readSnapshot } from '../../src/indexer/index-snapshot.ts'
import indexWriter from '../../src/indexer/index-writer.ts'
import { planRun } from '../../src/indexer/plan.ts'
import type { JobContext } from '../../src/jobs.ts'

/** A directory that is gone after the test. */
export class TemporaryTree implements Disposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'semantica-tree-')))

  write(files: Readonly<Record<string, string | Uint8Array>>): this {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.path, path)), { recursive: true })
      writeFileSync(join(this.path, path), content)
    }
    return this
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The handler and the writer, joined without an engine: what they do, without how they are run. */
export class DirectIndexer implements AsyncDisposable {
  readonly indexPath: string
  readonly messages: SingleMessage[] = []
  readonly #root: string
  readonly #writer
  #run = 0

  constructor(root: string) {
    this.#root = root
    this.indexPath = join(root, '.semantica', 'index.db')
    mkdirSync(dirname(this.indexPath), { recursive: true })
    this.#writer = indexWriter.definition.start({ path: this.indexPath })
  }

  async tell(...messages: IndexMessage[]): Promise<readonly unknown[]> {
    this.messages.push(
      ...messages.flatMap((message) => (message.kind === 'group' ? message.messages : [message])),
    )
    const writer = await this.#writer
    return indexWriter.definition.receive(messages, writer, [])
  }

  /** One handler call; `attempt` and `generation` as an engine would give them. */
  async runJob(
    payload: Partial<IndexFilePayload> & { readonly path: string },
    attempt = 1,
    generation = 1,
  ): Promise<IndexFileOutcome> {
    const actor = () => ({
      ask: async (message: unknown) => {
        // The handler speaks the writer's language; the engine's contract carries unknown.
        const [reply] = await this.tell(message as IndexMessage)
        if (reply instanceof Error) throw reply
        return reply
      },
    })
    const context: Pick<JobContext, 'actor' | 'attempt' | 'generation' | 'cancelled'> = {
      actor,
      attempt,
      generation,
      cancelled: false,
    }
    const whole: IndexFilePayload = {
      root: this.#root,
      run: this.#run,
      hash: null,
      maxFileBytes: 2_000_000,
      ...payload,
    }
    return indexJobs.definitions.INDEX_FILE.run(whole, context as JobContext)
  }

  /** A whole run: list, plan, read, commit. */
  async index(maxFileBytes = 2_000_000) {
    const found = await discoverFiles(this.#root, dirname(this.indexPath))
    const plan = planRun(found.files, readSnapshot(this.indexPath).files, maxFileBytes)
    const [begun] = await this.tell({ kind: 'begin-run', root: '/tree', place: '.semantica' })
    this.#run = typeof begun === 'object' && begun !== null && 'run' in begun ? Number(begun.run) : 0
    await this.tell({ kind: 'drop-files', paths: [...plan.removed, ...plan.dropped] })
    const outcomes: IndexFileOutcome[] = []
    for (const { path, hash } of plan.toRead) outcomes.push(await this.runJob({ path, hash, maxFileBytes }))
    await this.tell({ kind: 'end-run', summary: '{}' })
    return { plan, outcomes, found }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await indexWriter.definition.stop?.(await this.#writer)
  }
}
