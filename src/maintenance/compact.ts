import type { MaintenanceSettings } from '../config.ts'
import { type Database, pageBytes } from '../store/open.ts'
import type { DatabaseSize } from '../supervisor/messages.ts'
import type { Duty, DutyReport, DutySurroundings } from './duty.ts'
import { readSize } from './read-size.ts'

/** What is asked for at a time: between two requests others of the run, and a stop, have their turn. */
const pagesPerRequest = 4_096

/** Whether the file is worth being made smaller. */
export function wantsCompaction(
  { maxDatabaseBytes, compactFreePercent }: MaintenanceSettings,
  { pages, freePages }: DatabaseSize,
): boolean {
  if (freePages === 0) return false
  const isTooLarge = maxDatabaseBytes !== undefined && pages * pageBytes > maxDatabaseBytes
  return isTooLarge || freePages * 100 > pages * compactFreePercent
}

/**
 * Gives free pages back to the disk, when the file is over its limit or much of it is free. Then all of them: once the
 * last page has been moved, the next one costs the same.
 */
export class Compact implements Duty {
  readonly name = 'compact'
  readonly #surroundings: DutySurroundings
  readonly #hasBegun: () => boolean
  #isWanted: boolean | undefined
  #vacuumedPages = 0
  #left: string | undefined

  /** `hasBegun` tells whether an earlier duty gives back already: what it began is brought to its end. */
  constructor(surroundings: DutySurroundings, hasBegun: () => boolean) {
    this.#surroundings = surroundings
    this.#hasBegun = hasBegun
  }

  async runOnce(): Promise<boolean> {
    const { database, settings, supervisor } = this.#surroundings
    this.#isWanted ??= this.#hasBegun() || wantsCompaction(settings, readSize(database))
    if (!this.#isWanted) return false
    const { vacuumedPages, freePages } = await supervisor.ask('compact', { pages: pagesPerRequest })
    this.#vacuumedPages += vacuumedPages
    if (vacuumedPages === 0 && freePages > 0 && !vacuumsIncrementally(database)) {
      const action = 'run "PRAGMA auto_vacuum = INCREMENTAL; VACUUM" on the file while the engine is stopped'
      this.#left = `${freePages} free pages cannot be given back, they are only used again: ${action}`
    }
    return vacuumedPages > 0 && freePages > 0
  }

  report(): DutyReport {
    return {
      duty: this.name,
      deletedJobs: 0,
      deletedEarly: 0,
      deletedArtifacts: 0,
      reclaimedBytes: this.#vacuumedPages * pageBytes,
      examined: this.#vacuumedPages,
      details: this.#left,
    }
  }
}

/** A VACUUM by hand may have made it otherwise. */
function vacuumsIncrementally(database: Database): boolean {
  return database.pragma('auto_vacuum', { simple: true }) === 2
}
