/** How what a program leaves behind is ended where its processes cannot be seen. Real processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import { endUnseenGroup } from '../../src/subprocess/sweep.ts'
import { uniqueSeconds } from '../engine/program-voices.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** A group whose leader has ended, after it ran the script. */
async function leave(script: string) {
  const leader = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  // Its output ends with the last of its group.
  const gone = once(leader.stdout.resume(), 'end')
  await once(leader, 'exit')
  return { number: leader.pid ?? 0, gone }
}

test('what is left of a group is ended after its time', async () => {
  const seconds = uniqueSeconds()
  const group = await leave(`sleep ${seconds} & sleep ${seconds} &`)
  let looks = 0
  await endUnseenGroup(group.number, () => (++looks < 3 ? 1 : 0))
  expect(looks).toBe(3)
  await group.gone
})

test('a group in which nobody is left is left alone', async () => {
  const { number } = await leave('true')
  const kill = vi.spyOn(process, 'kill')
  await endUnseenGroup(number, () => 0)
  expect(kill.mock.calls).toEqual([[-number, 0]])
})

test('a group that empties meanwhile is left alone from then on', async () => {
  const { number } = await leave('true')
  const kill = vi.spyOn(process, 'kill').mockReturnValueOnce(true).mockReturnValueOnce(true)
  await endUnseenGroup(number, () => 1)
  expect(kill.mock.calls).toEqual([
    [-number, 0],
    [-number, 0],
    [-number, 0],
  ])
})
