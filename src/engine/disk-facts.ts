import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DiskFacts } from '../telemetry/metric-catalog.ts'

/** How full the disk is that a file is on, as `df` says it; undefined where the disk does not tell. */
export async function readDiskFacts(path: string): Promise<DiskFacts | undefined> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(dirname(path))
    const used = blocks - bfree
    // What is kept for the superuser is neither used nor available.
    if (used + bavail === 0) return undefined
    return { availableBytes: bavail * bsize, usedPercent: (used / (used + bavail)) * 100 }
  } catch {
    return undefined
  }
}
