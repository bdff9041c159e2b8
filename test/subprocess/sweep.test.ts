/** How what a program leaves behind is ended where its processes cannot be seen, or not always. Real processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readBootId, readProcess } from '../../src/store/process-facts.ts'
import { readTicks } from '../../src/subprocess/process-table.ts'
import { ProcessWatch } from '../../src/subprocess/process-watch.ts'
import { endUnseenGroup, RunMembers } from '../../src/subprocess/sweep.ts'
import { livingWith, uniqueSeconds } from '../engine/program-voices.ts'
import { type Blindness, useBlindness } from './blindness.ts'

const blindness = useBlindness()

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

/** A leader with a child of the same group that carries no run id, and how it is written down. */
async function begin(seconds: string) {
  const script = `env -i sleep ${seconds} & echo up; exec sleep ${seconds}`
  const leader = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  const gone = once(leader, 'exit')
  await once(leader.stdout, 'data')
  const { pid = 0 } = leader
  const startTicks = readProcess(pid)?.startTicks ?? 0
  const group = { processGroup: pid, session: pid }
  const row = { runId: 'r', pid, bootId: readBootId(), startTicks, ...group, seenTicks: readTicks() }
  return { row, gone, end: () => process.kill(-pid, 'SIGKILL') }
}

test.each<[Blindness, number]>([
  ['list', 25],
  ['processes', 100],
])('what cannot be seen is not gone: %s', async (what, looks) => {
  const seconds = uniqueSeconds()
  const { row, gone } = await begin(seconds)
  const members = new RunMembers([row], new ProcessWatch())
  const sees = blindness.begin(what, looks)
  expect(await members.end()).toBeUndefined()
  await sees
  expect(livingWith(seconds)).toEqual([])
  await gone
})

test('where nobody can see for long, that is the answer', async () => {
  const seconds = uniqueSeconds()
  const { row, gone, end } = await begin(seconds)
  const quick: typeof systemClock = {
    ...systemClock,
    startTimer: (_delayMs, fire, hold) => systemClock.startTimer(0, fire, hold),
  }
  const members = new RunMembers([row], new ProcessWatch(), quick)
  void blindness.begin('list', Number.POSITIVE_INFINITY)
  expect(await members.end()).toMatchObject({
    code: 'SUBPROCESS_FAILED',
    message: expect.stringContaining('cannot be seen under /proc (EMFILE'),
  })
  blindness.end()
  expect(livingWith(seconds)).toHaveLength(2)
  end()
  await gone
})

test('a stranger with the number of a run is left alone, also where nobody could see at first', async () => {
  const seconds = uniqueSeconds()
  const { row: stranger, gone, end } = await begin(seconds)
  const { startTicks } = stranger
  const run = { ...stranger, startTicks: startTicks - 1, seenTicks: startTicks }
  const members = new RunMembers([run], new ProcessWatch())
  const sees = blindness.begin('list', 2)
  expect(await members.end()).toBeUndefined()
  await sees
  expect(livingWith(seconds)).toHaveLength(2)
  end()
  await gone
})
