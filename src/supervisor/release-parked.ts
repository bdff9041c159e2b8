import { limits } from '../config.ts'
import type { Changes } from './changes.ts'
import type { Command } from './group-commit.ts'

/** Makes jobs claimable that waited for an engine that serves their type, some in each cycle. */
export function releaseParked(supervisor: {
  readonly changes: Changes
  submit(command: Command): void
  afterCommit(effect: () => void): void
}): void {
  const { changes } = supervisor
  supervisor.submit({
    apply: () => {
      const { releases } = changes.writer
      const released = releases.releaseParked(changes.jobTypes.served(), limits.releasedPerCycle)
      changes.recordReleased(released)
      changes.parked = releases.parkedCount()
      // A released job may be a suspect.
      changes.suspectsMayWait = true
      if (released.length === limits.releasedPerCycle) supervisor.afterCommit(() => releaseParked(supervisor))
    },
    refuse: () => {},
  })
}
