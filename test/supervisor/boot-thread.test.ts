import { once } from 'node:events'
import { expect, test } from 'vitest'
import { bootThread, takeThread } from '../../src/supervisor/boot-thread.ts'

/** A thread cannot load what it needs in so little. */
const tooLittleMb = 8

test('a thread that has died on its way is left out, and one that lives is taken', async () => {
  const dying = bootThread(tooLittleMb)
  const living = bootThread(64)
  await once(dying, 'workerDestroy')

  const booted = [living, dying]
  expect(takeThread(booted, 64)).toBe(living)
  const fresh = takeThread(booted, 64)
  expect([dying, living]).not.toContain(fresh)
  expect(fresh.threads).toHaveLength(1)
  await Promise.all([living.destroy(), fresh.destroy()])
})
