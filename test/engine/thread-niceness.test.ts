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
])('a pool thread is nicer than the process: %s', async (_, options, degrees) => {
  const engine = engines.keep(await open(options))
  const found = await (await engine.enqueue('NICENESS')).result()
  expect(found).toBe(Math.min(19, getPriority() + degrees))
})

test.each([-1, 20, 1.5])('a niceness of %s is refused', async (threadNiceness) => {
  await expect(open({ threadNiceness })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining('threadNiceness'),
  })
})
