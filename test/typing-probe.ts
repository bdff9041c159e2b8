import { z } from 'zod'
import { defineJobs, type PayloadOf, type ResultOf } from '../src/job/definition.ts'

const jobs = defineJobs(import.meta.url, {
  A: {
    payload: z.object({ path: z.string() }),
    async run({ path }, ctx) {
      ctx.cancelled
      return { n: path.length }
    },
  },
  B: {
    run() {
      return 5
    },
  },
  C: {
    payload: z.object({ x: z.coerce.number() }),
    retry: { maxAttempts: 2 },
    run({ x }) {
      const y: number = x
      return String(y)
    },
  },
})
type D = (typeof jobs)['definitions']
const a: PayloadOf<D['A']> = { path: 'x' }
const ra: ResultOf<D['A']> = { n: 1 }
const rb: ResultOf<D['B']> = 1
// @ts-expect-error
const bad: PayloadOf<D['A']> = { path: 5 }
// @ts-expect-error
const badr: ResultOf<D['C']> = 5

export { a, bad, badr, ra, rb }
