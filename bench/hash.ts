import { createHash } from 'node:crypto'
import { systemClock } from '../src/clock.ts'

const block = Buffer.alloc(1_024, 7)
const probeRounds = 1_000
const probes = 15

/** Hashes a block so many times over, and gives the digest. */
export function hashFor(rounds: number): string {
  const hash = createHash('sha256')
  for (let round = 0; round < rounds; round++) hash.update(block)
  return hash.digest('hex')
}

/** How many rounds take `targetMs` here and now. Measured once, so that both sides of a pair get the same work. */
export function calibrateRounds(targetMs: number): number {
  const times = Array.from({ length: probes }, () => {
    const startMs = systemClock.monotonicMs()
    hashFor(probeRounds)
    return systemClock.monotonicMs() - startMs
  }).sort((one, other) => one - other)
  const medianMs = times[Math.floor(probes / 2)] ?? 1
  return Math.max(1, Math.round((probeRounds * targetMs) / medianMs))
}
