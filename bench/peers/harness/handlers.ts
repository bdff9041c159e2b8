/** What the jobs do, the same for every contender. */
import { delay } from '../../../src/clock.ts'
import { hashFor } from '../../hash.ts'
import type { JobKind, PeerPayload } from './contender.ts'
import { mark } from './marks.ts'

export const napMs = 20

export const handlers: Readonly<Record<JobKind, (payload: PeerPayload) => Promise<void> | void>> = {
  NO_OP() {},
  HASH({ rounds = 1, digest }) {
    if (hashFor(rounds) !== digest) throw new Error('The hash is not what it should be')
  },
  STAMP({ n }) {
    mark(n)
  },
  NAP({ n }) {
    mark(n)
    return delay(napMs)
  },
}
