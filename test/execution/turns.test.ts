/** Goal: what may wait is not begun in a thread that something left behind keeps. Method: what is waited for, as a table. */
import { expect, test } from 'vitest'
import { ServedType } from '../../src/execution/served-type.ts'
import { Turns } from '../../src/execution/turns.ts'

test('a whole turn is waited for until many of each type that has ended have done so', () => {
  const waits: string[] = []
  let turn = () => {}
  const waitsFor = (what: string) => (run: () => void) => {
    waits.push(what)
    turn = run
  }
  let turned = 0
  const turns = new Turns({ afterThisTurn: waitsFor('turn'), afterMicrotasks: waitsFor('promises') }, () => {
    turned++
  })
  const old = new ServedType({ run: () => {} })
  for (let end = 0; end < 256; end++) turns.ended(old)
  const fresh = new ServedType({ run: () => {} })
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
  expect(turned).toBe(rounds.length)
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
