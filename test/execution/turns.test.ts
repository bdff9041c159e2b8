/** Goal: what may wait is not begun in a thread that something left behind keeps. Method: what is waited for, as a table. */
import { expect, test } from 'vitest'
import { ServedType } from '../../src/execution/served-type.ts'
import { Turns } from '../../src/execution/turns.ts'

/** Turns that come when they are told to, and two types: of the old one enough has ended to be believed. */
function fixture() {
  const waits: string[] = []
  let next = () => {}
  const waitsFor = (what: string) => (run: () => void) => {
    waits.push(what)
    next = run
  }
  let count = 0
  const turns = new Turns({ afterThisTurn: waitsFor('turn'), afterMicrotasks: waitsFor('promises') }, () => {
    count++
  })
  const old = new ServedType({ run: () => {} })
  for (let end = 0; end < 256; end++) turns.ended(old)
  const fresh = new ServedType({ run: () => {} })
  return { turns, waits, old, fresh, turn: () => next(), turned: () => count }
}

test('a whole turn is waited for until many of each type that has ended have done so', () => {
  const { turns, waits, old, fresh, turn, turned } = fixture()
  const rounds: [ServedType, string][] = [
    [old, 'turn'],
    [old, 'promises'],
    [fresh, 'turn'],
    [old, 'promises'],
  ]
  for (const [type, what] of rounds) {
    turns.ended(type)
    expect(turns.isFresh).toBe(false)
    // Waited for once, however many would begin.
    turns.waitForNext()
    turns.waitForNext()
    expect(waits.splice(0)).toEqual([what])
    turn()
    expect(turns.isFresh).toBe(true)
  }
  expect(turned()).toBe(rounds.length)
})

test('what ends while the end of promises is waited for has a whole turn waited for after it', () => {
  const { turns, waits, old, fresh, turn, turned } = fixture()
  turns.waitForNext()
  turn()
  turns.ended(old)
  turns.waitForNext()
  turns.ended(fresh)
  turn()
  expect({ waits, turned: turned(), isFresh: turns.isFresh }).toEqual({
    waits: ['turn', 'promises', 'turn'],
    turned: 1,
    isFresh: false,
  })
  turn()
  expect({ turned: turned(), isFresh: turns.isFresh }).toEqual({ turned: 2, isFresh: true })
})

test('what ends while a turn is waited for has no other waited for after it', () => {
  const { turns, waits, old, fresh, turn, turned } = fixture()
  turns.waitForNext()
  turns.ended(fresh)
  turns.ended(old)
  turn()
  expect({ waits, turned: turned(), isFresh: turns.isFresh }).toEqual({
    waits: ['turn'],
    turned: 1,
    isFresh: true,
  })
})

test('a type may wait until a handler of it has returned at once, and ever after one that waited', () => {
  const after = (...ends: ('waited' | 'returned')[]) => {
    const type = new ServedType({ run: () => {} })
    for (const end of ends) type[end]()
    return type.mayWait
  }
  expect(after()).toBe(true)
  expect(after('returned')).toBe(false)
  expect(after('returned', 'waited', 'returned')).toBe(true)
})
