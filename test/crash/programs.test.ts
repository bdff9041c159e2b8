/**
 * Goal: of programs that ran when the engine was killed nothing is left after its next start, in whatever session and
 * group, and each of their jobs runs again, once nothing is left of it. Method: hosts are killed while programs with
 * children run, or are just being started, and processes are found by their arguments.
 */
import { writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import Connection from 'better-sqlite3'
import { expect, test } from 'vitest'
import { readProcess } from '../../src/store/process-facts.ts'
import type { ProcessRow } from '../../src/store/process-file.ts'
import { readTable } from '../engine/open-engine.ts'
import { livingWith, uniqueSeconds, useVoices } from '../engine/program-voices.ts'
import { usePlace } from '../store/folder.ts'
import { checkDatabase, readJobs } from './check-database.ts'
import { isFull, randomFrom, seed } from './effort.ts'
import { EngineProcess } from './engine-process.ts'

const place = usePlace()
const voices = useVoices()

function begin(database: string, programs = 4): EngineProcess {
  return EngineProcess.host({ database, threads: 2, programs })
}

test('a killed engine leaves its programs to the next one, which ends them before it runs any job', async () => {
  const database = place.pathOf('tasks.db')
  const voice = voices.hear(place.pathOf('voice'))
  const seconds = uniqueSeconds()
  const programs = isFull ? 50 : 6
  const script = `if [ "$SEMANTICA_ATTEMPT" = 1 ]; then
      sleep ${seconds} & setsid sleep ${seconds} & env -i sleep ${seconds} &
      echo "up" > "$VOICE"; trap "" TERM; while :; do sleep ${seconds}; done
    fi
    echo "again $(pgrep -fc '^sleep ${seconds}')" > "$VOICE"`
  await using killed = begin(database, programs)
  await killed.line('ready')
  const jobs: string[] = []
  for (let count = 0; count < programs; count++)
    jobs.push(await killed.enqueue('SHELL', { args: [script], env: { VOICE: voice.path } }))
  await voice.said('up', programs)
  await killed.kill()
  // Nobody is there to end them.
  expect(livingWith(seconds).length).toBeGreaterThanOrEqual(3 * programs)
  await using next = begin(database, programs)
  await next.ask({ kind: 'idle' })
  expect(livingWith(seconds)).toEqual([])
  expect(new Set(await voice.said('again', programs))).toEqual(new Set(['again 0']))
  for (const jobId of jobs)
    expect(await next.ask({ kind: 'get', jobId })).toMatchObject({ state: 'DONE', attempt: 2, causes: [] })
  await next.leave()
  expect(checkDatabase(database)).toEqual([])
})

test('what a program has begun is ended at the next start, also when the program has ended since', async () => {
  const database = place.pathOf('tasks.db')
  const voice = voices.hear(place.pathOf('voice'))
  const seconds = uniqueSeconds()
  const script = `if [ "$SEMANTICA_ATTEMPT" = 1 ]; then env -i sleep ${seconds} & echo "up $!" > "$VOICE"; sleep ${seconds}; fi`
  await using killed = begin(database)
  await killed.line('ready')
  const jobId = await killed.enqueue('SHELL', { args: [script], env: { VOICE: voice.path } })
  const [line = ''] = await voice.said('up')
  const child = readProcess(Number(line.slice('up '.length)))
  // It knows the child for its own once it has written down that the program still lives.
  let row: ReturnType<typeof readRow>
  do {
    await turn()
    row = readRow(database)
  } while ((row?.seenTicks ?? 0) <= (child?.startTicks ?? 0))
  await killed.kill()
  process.kill(row?.pid ?? 0, 'SIGKILL')
  await using next = begin(database)
  await next.ask({ kind: 'idle' })
  expect(await next.ask({ kind: 'get', jobId })).toMatchObject({ state: 'DONE', attempt: 2 })
  await next.leave()
  expect(readProcess(child?.pid ?? 0)?.isDead ?? true).toBe(true)
  expect(livingWith(seconds)).toEqual([])
})

/** The one program of an engine in another process. */
function readRow(database: string): Pick<ProcessRow, 'pid' | 'seenTicks'> | undefined {
  const file = new Connection(`${database}-processes.db`, { readonly: true })
  try {
    return file
      .prepare<[], Pick<ProcessRow, 'pid' | 'seenTicks'>>(
        'SELECT pid, seen_ticks AS seenTicks FROM processes',
      )
      .get()
  } finally {
    file.close()
  }
}

test('at whatever moment the engine is killed, no process is left and every job is done', async () => {
  const database = place.pathOf('tasks.db')
  const voice = voices.hear(place.pathOf('voice'))
  const random = randomFrom(seed)
  const seconds = uniqueSeconds()
  const script = `setsid sleep ${seconds} & echo "ran" > "$VOICE"`
  const rounds = isFull ? 30 : 2
  const jobs: string[] = []
  for (let round = 0; round < rounds; round++) {
    const ran = voice.lines.length
    await using host = begin(database)
    await host.line('ready')
    for (let count = 0; count < 12; count++)
      jobs.push(await host.enqueue('SHELL', { args: [script], env: { VOICE: voice.path } }))
    await voice.said('ran', ran + 1 + Math.floor(random() * 10))
    await host.kill()
  }
  await using last = begin(database)
  await last.ask({ kind: 'idle' })
  expect(livingWith(seconds), `seed ${seed}`).toEqual([])
  for (const jobId of jobs)
    expect(await last.ask({ kind: 'get', jobId })).toMatchObject({
      state: expect.stringMatching(/DONE|FAILED/),
    })
  await last.leave()
  expect(livingWith(seconds)).toEqual([])
  expect(checkDatabase(database)).toEqual([])
})

test('programs that a killed engine had begun run beside each other again, and after a second death one at a time, and hold up nobody', async () => {
  const database = place.pathOf('tasks.db')
  const voice = voices.hear(place.pathOf('voice'))
  const end = place.pathOf('end')
  const script = `echo "up" > "$VOICE"; while ! [ -e "$END" ]; do sleep 0.1; done`
  const jobs: string[] = []
  {
    await using first = begin(database)
    await first.line('ready')
    for (let count = 0; count < 30; count++)
      jobs.push(await first.enqueue('SHELL', { args: [script], env: { VOICE: voice.path, END: end } }))
    await voice.said('up', 4)
    await first.kill()
  }
  {
    await using second = begin(database)
    await voice.said('up', 8)
    await second.kill()
  }
  const stored = readTable<{ seq: number; suspicion: number; attempt: number }>(
    database,
    'SELECT seq, suspicion, attempt FROM jobs ORDER BY seq',
  )
  expect(stored.map(({ suspicion }) => suspicion)).toEqual(jobs.map(() => 0))
  // What waited has not been charged with an attempt.
  expect(stored.map(({ attempt }) => attempt)).toEqual(jobs.map((_, index) => (index < 4 ? 2 : 0)))
  // From the second death on one at a time.
  await using last = begin(database)
  await voice.said('up', 9)
  const plain = await last.enqueue('STEP', { number: 1 })
  await last.line(`reported ${plain} DONE`)
  expect(voice.lines).toHaveLength(9)
  writeFileSync(end, '')
  await last.ask({ kind: 'idle' })
  for (const jobId of jobs) expect(await last.ask({ kind: 'get', jobId })).toMatchObject({ state: 'DONE' })
  await last.leave()
  expect(checkDatabase(database)).toEqual([])
})

test('a program that runs beside one that ends the engine each time is never charged', async () => {
  const database = place.pathOf('tasks.db')
  const voice = voices.hear(place.pathOf('voice'))
  const end = place.pathOf('end')
  const script = `echo "up" > "$VOICE"; while ! [ -e "$END" ]; do sleep 0.1; done`
  await using first = begin(database)
  await first.line('ready')
  await first.enqueue('SHELL', { args: [script], env: { VOICE: voice.path, END: end } })
  await voice.said('up')
  first.ask({ kind: 'enqueue', jobType: 'SHELL', payload: { args: ['kill -9 $PPID'] } }).catch(() => {})
  expect(await first.ended()).toMatchObject({ signal: 'SIGKILL' })
  const [innocent = '', killer = ''] = readJobs(database).keys()
  for (let deaths = 2; deaths <= 4; deaths++) {
    await using host = begin(database)
    if (deaths === 3) {
      await voice.said('up', 3)
      writeFileSync(end, '')
    }
    expect(await host.ended(), `death ${deaths}`).toMatchObject({ signal: 'SIGKILL' })
  }
  await using last = begin(database)
  await last.ask({ kind: 'idle' })
  expect(await last.ask({ kind: 'get', jobId: innocent })).toMatchObject({ state: 'DONE', causes: [] })
  expect(await last.ask({ kind: 'get', jobId: killer })).toMatchObject({
    state: 'FAILED',
    causes: ['PROCESS_DIED', 'PROCESS_DIED'],
  })
  await last.leave()
  expect(checkDatabase(database)).toEqual([])
})

test('a program that ends the engine with it each time is charged from the third death on, and given up by its policy', async () => {
  const database = place.pathOf('tasks.db')
  {
    await using first = begin(database)
    await first.line('ready')
    // It may end the process before its acknowledgement is told.
    first.ask({ kind: 'enqueue', jobType: 'SHELL', payload: { args: ['kill -9 $PPID'] } }).catch(() => {})
    expect(await first.ended()).toMatchObject({ signal: 'SIGKILL' })
  }
  const [jobId = ''] = readJobs(database).keys()
  for (let deaths = 2; deaths <= 4; deaths++) {
    await using host = begin(database)
    expect(await host.ended(), `death ${deaths}`).toMatchObject({ signal: 'SIGKILL' })
  }
  await using last = begin(database)
  await last.ask({ kind: 'idle' })
  expect(await last.ask({ kind: 'get', jobId })).toMatchObject({
    state: 'FAILED',
    attempt: 4,
    causes: ['PROCESS_DIED', 'PROCESS_DIED'],
  })
  await last.leave()
  expect(checkDatabase(database)).toEqual([])
})
