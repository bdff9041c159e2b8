import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import type { Changes } from '../../src/supervisor/changes.ts'
import type { Claim } from '../../src/supervisor/claims.ts'
import type { Command } from '../../src/supervisor/group-commit.ts'
import { LastingCommands, type LastingPart } from '../../src/supervisor/lasting-commands.ts'
import { releaseParked } from '../../src/supervisor/release-parked.ts'

/** A mailbox, of which the test says when its commands are applied, and a wait that ends when it says so. */
function open() {
  const mailbox: Command[] = []
  const failures: string[] = []
  let endWait = (): void => {}
  let waits = 0
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    startTimer(_delayMs, fire) {
      endWait = fire
      waits++
      return { cancel() {} }
    },
  }
  const lasting = new LastingCommands(clock, {
    offer: (command) => void mailbox.push(command),
    onFailure: (error, retryInMs, claim) =>
      failures.push(
        [error.message, ...(claim === undefined ? [] : [claim.seq, retryInMs ?? 'stops'])].join(' '),
      ),
    onRetry: () => {},
  })
  return {
    mailbox,
    failures,
    lasting,
    endWait: () => endWait(),
    get waits() {
      return waits
    },
    refuseAlone: () => mailbox.shift()?.refuse(new Error('damaged'), true),
    refuse: (count: number) => {
      for (const command of mailbox.splice(0, count)) command.refuse(new Error('full'))
    },
    apply: () => {
      for (const command of mailbox.splice(0)) command.apply()
    },
  }
}

test('what could not be committed is not overtaken by what came after it', () => {
  const { lasting, failures, refuse, apply, endWait } = open()
  const applied: string[] = []
  for (const name of ['outcome', 'waits in the mailbox']) lasting.submit(() => applied.push(name))
  refuse(1)
  lasting.submit(() => applied.push('death'))
  apply()
  expect(applied).toEqual([])
  endWait()
  // The disk is still full.
  refuse(3)
  lasting.submit(() => applied.push('last'))
  apply()
  expect([applied, failures]).toEqual([[], ['full', 'full']])
  endWait()
  apply()
  expect(applied).toEqual(['outcome', 'waits in the mailbox', 'death', 'last'])
})

test('what is offered again goes before what came after it, also where that waits in the mailbox already', () => {
  const { lasting, mailbox, refuse, apply, endWait } = open()
  const applied: string[] = []
  for (const name of ['first outcome', 'second outcome']) lasting.submit(() => applied.push(name))
  refuse(2)
  lasting.submit(() => applied.push('death'))
  endWait()
  // A transaction that is rolled back, and what it held then one by one.
  mailbox[0]?.apply()
  mailbox[1]?.apply()
  applied.length = 0
  apply()
  expect(applied).toEqual(['first outcome', 'second outcome', 'death'])
})

test('a command that was put behind another in a transaction that failed comes once', () => {
  const { lasting, mailbox, refuse, apply, endWait } = open()
  const applied: string[] = []
  lasting.submit(() => applied.push('outcome'))
  refuse(1)
  lasting.submit(() => applied.push('death'))
  for (const command of mailbox) command.apply()
  refuse(1)
  endWait()
  apply()
  expect(applied).toEqual(['outcome', 'death'])
})

test('what is refused alone keeps nobody waiting, and is tried again after ever longer waits', () => {
  const { lasting, failures, refuseAlone, apply, endWait, mailbox } = open()
  const applied: string[] = []
  const part = (name: string, seq: number): LastingPart => ({
    // The boundary: nothing else of a claim is looked at.
    claim: { seq } as unknown as Claim,
    apply: () => applied.push(name),
  })
  lasting.submit(
    () => applied.push('both'),
    () => [part('bad', 1), part('good', 2)],
  )
  lasting.submit(() => applied.push('death'))
  refuseAlone()
  mailbox.shift()?.apply()
  expect(mailbox).toHaveLength(2)
  for (let round = 0; round < 7; round++) {
    refuseAlone()
    apply()
    expect([lasting.isWaiting, applied]).toEqual([false, ['death', 'good']])
    endWait()
  }
  expect(failures).toEqual(['damaged 1 1000', 'damaged 1 2000', 'damaged 1 4000', 'damaged 1 8000'])
  refuseAlone()
  lasting.finish(() => {
    mailbox.shift()?.apply()
    return mailbox.length > 0
  })
  expect(applied).toEqual(['death', 'good', 'bad'])
})

test('what comes again with something else is not tried again', () => {
  const rig = open()
  const claim = { seq: 1 } as unknown as Claim
  rig.lasting.submit(
    () => {},
    () => [{ claim, apply: () => {}, comesAgain: true }],
  )
  rig.refuseAlone()
  rig.refuseAlone()
  expect([rig.waits, rig.mailbox]).toEqual([0, []])
})

test('once the engine stops no more attempts are announced, and what was told is not told again', () => {
  const { lasting, mailbox, failures, refuseAlone } = open()
  const submitPart = (seq: number) => {
    const claim = { seq } as unknown as Claim
    lasting.submit(
      () => {},
      () => [{ claim, apply: () => {} }],
    )
  }
  submitPart(1)
  refuseAlone()
  refuseAlone()
  submitPart(2)
  lasting.finish(() => {
    refuseAlone()
    return mailbox.length > 0
  })
  expect(failures).toEqual(['damaged 1 1000', 'damaged 2 stops'])
})

test('at the end all that was submitted is tried once more, in its order', () => {
  const { lasting, mailbox, refuse } = open()
  const applied: string[] = []
  lasting.submit(() => applied.push('outcome'))
  refuse(1)
  lasting.submit(() => applied.push('death'))
  lasting.finish(() => {
    mailbox.shift()?.apply()
    return mailbox.length > 0
  })
  expect(applied).toEqual(['outcome', 'death'])
})

test('a step of releasing parked jobs that cannot be committed is tried again, and the next one follows', () => {
  const { lasting, mailbox, refuse, apply, endWait } = open()
  let left = 2_500
  // The boundary: what a release needs of all that belongs to changes.
  const changes = {
    admits: true,
    writer: {
      releases: {
        releaseParked: (_types: unknown, most: number) => {
          const released = Array.from({ length: Math.min(most, left) })
          left -= released.length
          return released
        },
        parkedCount: () => left,
      },
    },
    jobTypes: { served: () => [] },
    suspects: { recount: () => {} },
    recordReleased: () => {},
    afterCommit: (effect: () => void) => effect(),
  } as unknown as Changes
  releaseParked(changes, lasting)
  apply()
  refuse(1)
  endWait()
  while (mailbox.length > 0) apply()
  expect(left).toBe(0)
})
