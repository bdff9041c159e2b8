import { limits } from '../config.ts'
import type { Changes } from './changes.ts'
import type { LastingCommands } from './lasting-commands.ts'

/**
 * Makes jobs claimable that waited for an engine that serves their type, some in each cycle. A step that cannot be
 * committed, as on a full disk, is tried again: only the next start would come to the rest otherwise.
 */
export function releaseParked(changes: Changes, lasting: Pick<LastingCommands, 'submit'>): void {
  lasting.submit(() => {
    // The next start goes on with what a stop leaves.
    if (!changes.admits) return
    const { releases } = changes.writer
    const released = releases.releaseParked(changes.jobTypes.served(), limits.releasedPerCycle)
    changes.recordReleased(released)
    changes.parked = releases.parkedCount()
    // A released job may be a suspect.
    changes.suspectsMayWait = true
    changes.suspects.recount()
    if (released.length === limits.releasedPerCycle)
      changes.afterCommit(() => releaseParked(changes, lasting))
  })
}
