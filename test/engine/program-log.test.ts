/** What programs have written, as `readLog` gives it. */
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { rejectionOf, useEngines } from './open-engine.ts'
import { openPrograms } from './open-programs.ts'
import { useVoices } from './program-voices.ts'

const engines = useEngines()
const voices = useVoices()
const logs = () => engines.pathOf('tasks.db-files/logs')

const line = (stream: string, message: string) => `${JSON.stringify({ stream, message })}\n`

test('readLog gives what a program writes, also while it runs', async () => {
  const engine = await openPrograms(engines)
  const voice = voices.hear(engines.pathOf('voice'))
  const gate = engines.pathOf('gate')
  execFileSync('mkfifo', [gate])
  const script = `echo 'a "b"'; until grep -qs b "$LOGS/$SEMANTICA_JOB_ID.out.log"; do :; done
    echo up > "$VOICE"; read -r word < "$GATE"; echo wrong >&2; printf "$word"`
  const job = await engine.enqueue('SHELL', {
    args: [script],
    env: { LOGS: logs(), VOICE: voice.path, GATE: gate },
  })
  await voice.said('up')
  expect(await engine.readLog(job.id)).toBe(line('stdout', 'a "b"'))
  writeFileSync(gate, 'end\n')
  await job.result()
  // Without the end of its line, too: the program will not write it any more.
  expect(await engine.readLog(job.id)).toBe(
    line('stdout', 'a "b"') + line('stdout', 'end') + line('stderr', 'wrong'),
  )
})

test('readLog gives the newest output of all attempts, and whole characters', async () => {
  const engine = await openPrograms(engines, { outputBytes: 4_096 })
  // Two bytes a character, and one after them: the file begins anew in the middle of one.
  const script =
    '[ "$SEMANTICA_ATTEMPT" = 2 ] || { echo first; exit 1; }; printf %sx "$(yes ä | head -n 5000 | tr -d "\\n")"'
  const job = await engine.enqueue('SHELL', { args: [script] })
  await job.result()
  const text = (await engine.readLog(job.id)) ?? ''
  expect(text).toMatch(/^{"stream":"stdout","message":"ä{1000,}x"}\n$/)
  const short = await engine.enqueue('SHELL', {
    args: ['echo $SEMANTICA_ATTEMPT; [ $SEMANTICA_ATTEMPT = 2 ]'],
  })
  await short.result()
  expect(await engine.readLog(short.id)).toBe(line('stdout', '1') + line('stdout', '2'))
})

test('what is no file of its own in the place of a log is not read, and named', async () => {
  const engine = await openPrograms(engines)
  const job = await engine.enqueue('SHELL', { args: ['true'] })
  await job.result()
  expect(await engine.readLog(job.id)).toBeUndefined()
  mkdirSync(logs(), { recursive: true })
  const other = engines.pathOf('other')
  writeFileSync(other, 'another\n')
  for (const name of [`${job.id}.out.log`, `${job.id}.log`]) {
    const path = `${logs()}/${name}`
    for (const [what, put] of [
      ['a folder', () => mkdirSync(path)],
      ['a link', () => symlinkSync(other, path)],
      ['a file with other names', () => linkSync(other, path)],
      ['not a file', () => execFileSync('mkfifo', [path])],
    ] as const) {
      put()
      const error = await rejectionOf(engine.readLog(job.id), 'PATH_INVALID')
      expect(error.message).toContain(`${path} is ${what}`)
      expect(error.message).not.toContain('rights')
      rmSync(path, { recursive: true })
    }
  }
})
