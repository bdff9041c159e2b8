/** One look at all processes serves everybody who asked for it, and misses nobody. Real processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { ProcessWatch } from '../../src/subprocess/process-watch.ts'
import { uniqueSeconds } from '../engine/program-voices.ts'

test('those who ask before a look share it, and nobody gets one from before they asked', async () => {
  const watch = new ProcessWatch()
  const asked = [watch.look(), watch.look()]
  const [first, second] = await Promise.all(asked)
  expect(second).toBe(first)
  expect(await watch.look()).not.toBe(first)
  expect(first?.processes.map(({ pid }) => pid)).toContain(process.pid)
})

test('a look tells run ids, and of a process without any environment soon that it has none', async () => {
  const marked = spawn('/bin/sh', ['-c', 'echo up; read -r line'], { env: { SEMANTICA_RUN_ID: 'a' } })
  const bare = spawn('env', ['-i', 'sleep', uniqueSeconds()])
  const ended = [marked, bare].map((child) => once(child, 'exit'))
  try {
    await Promise.all([once(marked.stdout, 'data'), once(bare, 'spawn')])
    const watch = new ProcessWatch()
    const seen = async (pid: number | undefined) => {
      const look = await watch.look()
      const facts = look.processes.find((one) => one.pid === pid)
      return facts === undefined ? undefined : look.runIdsOf(facts)
    }
    expect(await seen(marked.pid)).toEqual(['a'])
    const found: unknown[] = []
    do found.push(await seen(bare.pid))
    while (!(Array.isArray(found.at(-1)) && found.includes('unsure')))
    // From then on nobody waits for it again.
    expect([await seen(bare.pid), await seen(bare.pid)]).toEqual([[], []])
  } finally {
    for (const child of [marked, bare]) child.kill('SIGKILL')
    await Promise.all(ended)
  }
})
