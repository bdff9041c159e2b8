/**
 * Goal: what a program leaves where its result belongs, and nobody may remove, hurts neither the engine nor the next
 * one. Method: hosts without the right of root to pass over the rights of files; programs that close a folder.
 */
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { usePlace } from '../store/folder.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()

/** Like a user who is not root, but with the files that root has. */
const wrap =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--'] : []

function begin(): EngineProcess {
  return EngineProcess.host({ database: place.pathOf('tasks.db'), threads: 1, programs: 2 }, wrap)
}

afterEach(() => {
  // Who is not root must open the closed folders before they can be removed.
  const runs = place.pathOf('tasks.db-files/runs')
  if (!existsSync(runs)) return
  for (const run of readdirSync(runs))
    for (const name of readdirSync(`${runs}/${run}`)) chmodSync(`${runs}/${run}/${name}`, 0o755)
})

test('a program that leaves what cannot be removed hurts neither the engine nor the next one', async () => {
  const script =
    'folder=$(dirname "$SEMANTICA_RESULT_FILE"); mkdir "$folder/x"; touch "$folder/x/file"; chmod 0 "$folder/x"'
  for (let start = 0; start < 2; start++) {
    await using host = begin()
    await host.line('ready')
    const closing = await host.enqueue('SHELL', { args: [script] })
    await host.line(`reported ${closing} DONE`)
    const next = await host.enqueue('SHELL', { args: ['echo next'] })
    await host.line(`reported ${next} DONE`)
    // Each at its first attempt: the actor has not died in between.
    for (const jobId of [closing, next])
      expect(await host.ask({ kind: 'get', jobId })).toMatchObject({ state: 'DONE', attempt: 1, causes: [] })
    await host.leave()
    expect(readdirSync(place.pathOf('tasks.db-files/runs'))).toHaveLength(start + 1)
  }
})
