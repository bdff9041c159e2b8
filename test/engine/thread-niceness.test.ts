/** Pool threads give way to the program around them, by the degree that is asked for. */
import { getPriority } from 'node:os'
import { expect, test } from 'vitest'
import { Engine } from '../../src/engine/engine.ts'
import niceness from '../fixtures/jobs/niceness.ts'
import { useEngines } from './open-engine.ts'

const engines = useEngines()

function open(options: { readonly threadNiceness?: number }) {
  const database = engines.pathOf('tasks.db')
  return Engine.start({ jobs: niceness, database, threads: 1, logLevel: 'silent', ...options })
}

test.runIf(process.platform === 'linux').each([
  ['by 5 unless told otherwise', {}, 5],
  ['as told', { threadNiceness: 3 }, 3],
  ['not at all with 0', { threadNiceness: 0 }, 0],
])('a pool thread whose handlers take long is nicer than the process: %s', async (_, options, degrees) => {
  const engine = engines.keep(await open(options))
  expect(await nicenessOf(engine)).toBe(getPriority())
  // The first of them go together: nobody knows yet that they take long.
  for (let round = 0; round < 2; round++) {
    await engine.enqueueMany(Array.from({ length: 10 }, () => ({ type: 'LONG' }) as const))
    await engine.idle()
  }
  expect(await nicenessOf(engine)).toBe(Math.min(19, getPriority() + degrees))
})

test('one that runs tiny jobs is not, nor is one that had something to load at first', async () => {
  const engine = engines.keep(await open({}))
  await engine.enqueueMany(Array.from({ length: 4 }, () => ({ type: 'LONG' }) as const))
  for (let round = 0; round < 20; round++)
    await engine.enqueueMany(Array.from({ length: 5_000 }, () => ({ type: 'TINY' }) as const))
  await engine.idle()
  expect(await nicenessOf(engine)).toBe(getPriority())
})

async function nicenessOf(engine: Awaited<ReturnType<typeof open>>): Promise<unknown> {
  return (await engine.enqueue('NICENESS')).result()
}

test.each([-1, 20, 1.5])('a niceness of %s is refused', async (threadNiceness) => {
  await expect(open({ threadNiceness })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining('threadNiceness'),
  })
})
