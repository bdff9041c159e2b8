/** What a user's editor knows. The compiler checks this file; at run time there is nothing left to fail. */
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  defineJobs,
  type JobContext,
  type PayloadOf,
  type ProgramAdditions,
  type ProgramPayload,
  type ProgramResult,
  type ResultOf,
} from '../../src/jobs.ts'

const jobs = defineJobs(import.meta.url, {
  INDEX_FILE: {
    payload: z.object({ path: z.string(), depth: z.coerce.number().default(1) }),
    retry: { maxAttempts: 3 },
    async run(payload, context) {
      expectTypeOf(payload).toEqualTypeOf<{ path: string; depth: number }>()
      expectTypeOf(context).toEqualTypeOf<JobContext>()
      return { symbols: payload.path.length }
    },
  },
  TICK: {
    run() {
      return 5
    },
  },
  LOOSE: {
    overlap: 8,
    run(payload) {
      expectTypeOf(payload).toEqualTypeOf<unknown>()
    },
  },
})

const programs = defineJobs(import.meta.url, {
  ANY: { execution: 'subprocess', timeoutMs: 5 },
  NAMED: { execution: 'subprocess', program: { command: 'ls' } },
})

type Definitions = (typeof jobs)['definitions']

describe('a job type', () => {
  test('takes what its validator takes', () => {
    expectTypeOf<PayloadOf<Definitions['INDEX_FILE']>['path']>().toEqualTypeOf<string>()
    expectTypeOf<{ path: string }>().toExtend<PayloadOf<Definitions['INDEX_FILE']>>()
    expectTypeOf<{ path: number }>().not.toExtend<PayloadOf<Definitions['INDEX_FILE']>>()
    expectTypeOf<{ depth: number }>().not.toExtend<PayloadOf<Definitions['INDEX_FILE']>>()
  })

  test('takes anything without a validator', () => {
    expectTypeOf<PayloadOf<Definitions['TICK']>>().toBeUnknown()
  })

  test('gives what its handler returns', () => {
    expectTypeOf<ResultOf<Definitions['INDEX_FILE']>>().toEqualTypeOf<{ symbols: number }>()
    expectTypeOf<ResultOf<Definitions['TICK']>>().toEqualTypeOf<number>()
    expectTypeOf<ResultOf<Definitions['LOOSE']>>().toEqualTypeOf<void>()
  })

  test('is known by its name', () => {
    expectTypeOf<keyof Definitions>().toEqualTypeOf<'INDEX_FILE' | 'TICK' | 'LOOSE'>()
    // @ts-expect-error no job type of this name
    type Unknown = Definitions['INDEX_FOLDER']
    expectTypeOf<Unknown>().toBeAny()
  })
})

test('a job type that is a program takes and gives what programs do', () => {
  type Programs = (typeof programs)['definitions']
  expectTypeOf<PayloadOf<Programs['ANY']>>().toEqualTypeOf<ProgramPayload>()
  expectTypeOf<PayloadOf<Programs['NAMED']>>().toEqualTypeOf<ProgramAdditions | undefined>()
  expectTypeOf<ResultOf<Programs['NAMED']>>().toEqualTypeOf<ProgramResult>()
})

test('mistakes do not compile', () => {
  const refused = () => [
    // @ts-expect-error a handler is missing
    defineJobs(import.meta.url, { A: { timeoutMs: 5 } }),
    // @ts-expect-error a program has no handler
    defineJobs(import.meta.url, { A: { execution: 'subprocess', run: () => 1 } }),
    // @ts-expect-error a time limit is a number
    defineJobs(import.meta.url, { A: { timeoutMs: '5s', run: () => 1 } }),
    // @ts-expect-error the retry policy has no such field
    defineJobs(import.meta.url, { A: { retry: { attempts: 5 }, run: () => 1 } }),
  ]
  expectTypeOf(refused).toBeFunction()
})
