import { once } from 'node:events'
import type { Database } from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ActorThread } from '../../src/actor/thread.ts'
import {
  answerCheckpoint,
  CheckpointPolicy,
  checkpointPassive,
  readWalBytes,
} from '../../src/store/checkpoint.ts'
import type { CheckpointAnswer, CheckpointReport } from '../../src/store/messages.ts'
import { openReader, openWriter } from '../../src/store/open.ts'
import { usePlace } from './folder.ts'

const place = usePlace()
const frameBytes = 8_192 + 24
const limits = { checkpointBytes: 10 * frameBytes, writerBytes: 40 * frameBytes }
const failure: CheckpointAnswer = { kind: 'checkpoint-failed', error: { name: 'Error', message: 'full' } }

function report(walPages: number, checkpointedPages = walPages): CheckpointReport {
  return { kind: 'checkpointed', busy: false, walPages, checkpointedPages, elapsedMs: 1 }
}

function makeWriter(): Database {
  const writer = place.keep(openWriter({ path: place.pathOf('tasks.db'), durability: 'process' }))
  writer.exec('CREATE TABLE filling (bytes BLOB) STRICT')
  return writer
}

function fill(writer: Database, pages: number): void {
  writer.prepare('INSERT INTO filling VALUES (zeroblob(?))').run(pages * 8_192)
}

test('the thread is asked when enough is there, once at a time, and again when as much was added', () => {
  const policy = new CheckpointPolicy(limits)
  const pages = (count: number) => policy.shouldAskThread(count * frameBytes)
  expect([pages(0), pages(9), pages(10)]).toEqual([false, false, true])
  policy.asked()
  expect([pages(10), pages(39)]).toEqual([false, false])
  expect(policy.reported(report(12), 12 * frameBytes)).toBe('nothing')
  expect([pages(12), pages(21), pages(22)]).toEqual([false, false, true])
  // The WAL began again: what was seen of the old one does not count.
  expect([pages(3), pages(9), pages(10)]).toEqual([false, false, true])
})

test('the writer helps when the WAL is over the second limit', () => {
  const policy = new CheckpointPolicy(limits)
  expect(policy.shouldAskThread(50 * frameBytes)).toBe(true)
  policy.asked()
  expect(policy.reported(report(40), 40 * frameBytes)).toBe('nothing')
  policy.asked()
  expect(policy.reported(report(41), 41 * frameBytes)).toBe('writer-checkpoint')
  // Nothing new since: not asked in a circle, whether or not all of it could be moved.
  expect(policy.shouldAskThread(41 * frameBytes)).toBe(false)
  policy.asked()
  expect(policy.reported(report(60, 30), 60 * frameBytes)).toBe('writer-checkpoint')
  expect(policy.shouldAskThread(60 * frameBytes)).toBe(false)
  expect(policy.shouldAskThread(70 * frameBytes)).toBe(true)
})

test('what came while the thread was at work is for the thread, until it is little or was too much too often', () => {
  const policy = new CheckpointPolicy(limits)
  const answer = (seenPages: number, walPages: number) => {
    policy.asked()
    return policy.reported(report(seenPages), walPages * frameBytes)
  }
  expect([answer(41, 74), answer(74, 106)]).toEqual(['thread-again', 'writer-checkpoint'])
  // Of the next WAL none has been counted.
  expect([answer(41, 100), answer(100, 200), answer(200, 300)]).toEqual(Array(3).fill('thread-again'))
  expect(answer(300, 400)).toBe('writer-checkpoint')
  expect(answer(41, 100)).toBe('thread-again')
})

test('beside a reader that holds much of the WAL the writer moves nothing, and not all of it once that has gone', () => {
  const policy = new CheckpointPolicy(limits)
  policy.asked()
  expect(policy.reported(report(60, 19), 60 * frameBytes)).toBe('nothing')
  expect(policy.shouldAskThread(69 * frameBytes)).toBe(false)
  expect(policy.shouldAskThread(70 * frameBytes)).toBe(true)
  policy.asked()
  expect(policy.reported(report(70, 70), 75 * frameBytes)).toBe('writer-checkpoint')
})

test('after a failure the thread is asked again when as much was added', () => {
  const policy = new CheckpointPolicy(limits)
  expect(policy.shouldAskThread(12 * frameBytes)).toBe(true)
  policy.asked()
  expect(policy.reported(failure, 12 * frameBytes)).toBe('nothing')
  expect(policy.shouldAskThread(21 * frameBytes)).toBe(false)
  expect(policy.shouldAskThread(22 * frameBytes)).toBe(true)
})

test('asked twice, and limits the wrong way round, are mistakes', () => {
  const policy = new CheckpointPolicy()
  policy.asked()
  expect(() => policy.asked()).toThrow('one checkpoint at a time')
  expect(() => new CheckpointPolicy({ checkpointBytes: 2, writerBytes: 1 })).toThrow(
    'before the writer helps',
  )
})

test('with a writer that never pauses the WAL stays within its limits', () => {
  // A model of the WAL: it begins again at a commit when all of it is in the file, and never otherwise.
  const commit = fc.record({ pages: fc.integer({ min: 1, max: 5 }), threadEnds: fc.boolean() })
  fc.assert(
    fc.property(fc.array(commit, { minLength: 50, maxLength: 400 }), (commits) => {
      const policy = new CheckpointPolicy(limits)
      let walPages = 0
      let movedPages = 0
      let begunAtPages: number | undefined
      let writtenMeanwhile = 0
      for (const { pages, threadEnds } of commits) {
        if (walPages > 0 && movedPages === walPages) walPages = movedPages = 0
        walPages += pages
        writtenMeanwhile += pages
        if (begunAtPages !== undefined && (threadEnds || writtenMeanwhile > 20)) {
          movedPages = begunAtPages
          const next = policy.reported(report(begunAtPages), walPages * frameBytes)
          begunAtPages = undefined
          if (next === 'writer-checkpoint') movedPages = walPages
          if (next === 'thread-again') {
            policy.asked()
            begunAtPages = walPages
            writtenMeanwhile = 0
          }
        }
        if (policy.shouldAskThread(walPages * frameBytes)) {
          policy.asked()
          begunAtPages = walPages
          writtenMeanwhile = 0
        }
        // The writer's limit, what makes the next round due, and what comes in while the rounds are under way.
        expect(walPages).toBeLessThanOrEqual(40 + 10 + 4 * 25)
      }
    }),
  )
})

test('the size of the WAL is what is in use of it, and a checkpoint lets it begin again', () => {
  const writer = makeWriter()
  fill(writer, 100)
  const full = readWalBytes(writer)
  expect(full).toBeGreaterThan(100 * frameBytes)
  const moved = checkpointPassive(writer)
  expect(moved).toMatchObject({ kind: 'checkpointed', busy: false, walPages: full / frameBytes })
  expect(moved.checkpointedPages).toBe(moved.walPages)
  expect(readWalBytes(writer)).toBe(full)
  fill(writer, 1)
  expect(readWalBytes(writer)).toBeLessThan(10 * frameBytes)
})

test('a checkpoint that cannot be run is an answer', () => {
  const writer = makeWriter()
  writer.close()
  expect(answerCheckpoint(writer)).toMatchObject({ kind: 'checkpoint-failed', error: { name: 'TypeError' } })
})

async function startThread(): Promise<{ thread: ActorThread; ask(): Promise<CheckpointAnswer> }> {
  const data = { path: place.pathOf('tasks.db') }
  const thread = await ActorThread.start({
    name: 'checkpointer',
    entry: 'checkpointer',
    data,
    readyTimeoutMs: 30_000,
  })
  return {
    thread,
    async ask() {
      const reply = once(thread.port, 'message')
      thread.port.postMessage({ kind: 'checkpoint' })
      return (await reply)[0]
    },
  }
}

test('the thread moves what it may beside a writer and a reader, and stops', async () => {
  const writer = makeWriter()
  const { thread, ask } = await startThread()
  fill(writer, 50)
  const first = await ask()
  expect(first).toEqual({
    kind: 'checkpointed',
    busy: false,
    walPages: readWalBytes(writer) / frameBytes,
    checkpointedPages: readWalBytes(writer) / frameBytes,
    elapsedMs: expect.any(Number),
  })
  const reader = place.keep(openReader(place.pathOf('tasks.db')))
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM filling').get()
  fill(writer, 50)
  fill(writer, 50)
  const blocked = await ask()
  expect(blocked).toMatchObject({ kind: 'checkpointed', walPages: readWalBytes(writer) / frameBytes })
  expect(blocked.kind === 'checkpointed' && blocked.checkpointedPages < blocked.walPages).toBe(true)
  reader.exec('COMMIT')
  const after = await ask()
  expect(after.kind === 'checkpointed' && after.checkpointedPages === after.walPages).toBe(true)
  expect(await thread.stop(5_000)).toBe('stopped')
  expect(writer.prepare('SELECT count(*) FROM filling').pluck().get()).toBe(3)
})

test('the thread does not start on what is no database', async () => {
  await expect(startThread()).rejects.toMatchObject({ code: 'PATH_INVALID' })
})
