/** The folders that a bench works in: on the disk that the clone is on, and gone at the end. */
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, statfsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Below the clone, ignored by git. */
const home = resolve(import.meta.dirname, '../.bench')

/** What statfs calls a file system that is only memory: tmpfs and ramfs. */
const memoryFileSystems: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])

export class Scratch {
  readonly #folder: string

  /** @throws when the clone is not on a disk */
  constructor() {
    mkdirSync(home, { recursive: true })
    if (memoryFileSystems.has(statfsSync(home).type)) {
      throw new Error(
        `${home} is in memory, so that nothing measured there would be true. Clone onto a disk.`,
      )
    }
    this.#folder = mkdtempSync(join(home, 'run-'))
  }

  newFolder(): string {
    return mkdtempSync(join(this.#folder, 'part-'))
  }

  dropFolder(folder: string): void {
    rmSync(folder, { recursive: true, force: true })
  }

  remove(): void {
    this.dropFolder(this.#folder)
    // Another bench may be at work beside.
    if (readdirSync(home).length === 0) rmdirSync(home)
  }
}
