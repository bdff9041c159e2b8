import { describe, expect, test } from 'vitest'
import { checkEnqueueOptions, type EnqueueOptions, maxGeneration } from '../../src/job/spec.ts'

describe('allowed', () => {
  test.each<EnqueueOptions>([
    {},
    { queue: 'a' },
    { queue: 'A-z_0-9'.padEnd(64, 'x') },
    { priority: -100 },
    { priority: 100 },
    { subjectKey: 'cli::repo::päth/ 😀' },
    { subjectKey: 'x'.repeat(512), generation: 0 },
    { subjectKey: 'x', generation: maxGeneration },
    { onConflict: 'keep', onRunning: 'finish' },
    { onConflict: 'supersede', onRunning: 'abort' },
    { idempotencyKey: 'x'.repeat(512) },
    { userTag: 'päth 😀', chainGroupId: 'x' },
    { userTag: 'x'.repeat(128), chainGroupId: 'x'.repeat(128) },
    { retry: {} },
    { retry: { maxAttempts: 1, backoffMs: 0, backoffFactor: 1, maxBackoffMs: 0, jitter: 0 } },
    { timeoutMs: 604_800_000 },
  ])('case %#', (options) => {
    expect(() => checkEnqueueOptions(options)).not.toThrow()
  })
})

describe('refused, naming the option', () => {
  test.each<[option: string, options: unknown]>([
    ['options', null],
    ['options', 5],
    ['options', 'queue'],
    ['que', { que: 'a' }],
    ['delay', { delay: 5 }],
    ['queue', { queue: '' }],
    ['queue', { queue: 'x'.repeat(65) }],
    ['queue', { queue: 'a b' }],
    ['queue', { queue: 'a\n' }],
    ['queue', { queue: 5 }],
    ['queue', { queue: null }],
    ['priority', { priority: 101 }],
    ['priority', { priority: -101 }],
    ['priority', { priority: 0.5 }],
    ['priority', { priority: '1' }],
    ['priority', { priority: Number.NaN }],
    ['subjectKey', { subjectKey: '' }],
    ['subjectKey', { subjectKey: 'x'.repeat(513) }],
    ['subjectKey', { subjectKey: 'a\0b' }],
    ['subjectKey', { subjectKey: 'half \ud83d' }],
    ['subjectKey', { subjectKey: 5 }],
    ['idempotencyKey', { idempotencyKey: '' }],
    ['userTag', { userTag: '' }],
    ['userTag', { userTag: 'x'.repeat(129) }],
    ['userTag', { userTag: 'a\0b' }],
    ['userTag', { userTag: 'half \ud83d' }],
    ['userTag', { userTag: null }],
    ['chainGroupId', { chainGroupId: '' }],
    ['chainGroupId', { chainGroupId: 'x'.repeat(129) }],
    ['chainGroupId', { chainGroupId: 5 }],
    ['idempotencyKey', { idempotencyKey: 'a\0' }],
    ['generation', { generation: 1 }],
    ['generation', { subjectKey: 'a', generation: -1 }],
    ['generation', { subjectKey: 'a', generation: 1.5 }],
    ['generation', { subjectKey: 'a', generation: maxGeneration + 1 }],
    ['generation', { subjectKey: 'a', generation: 1n }],
    ['onConflict', { onConflict: 'replace' }],
    ['onRunning', { onRunning: true }],
    ['retry', { retry: 3 }],
    ['retry', { retry: null }],
    ['retry.attempts', { retry: { attempts: 3 } }],
    ['retry.toString', { retry: { toString: 3 } }],
    ['retry.maxAttempts', { retry: { maxAttempts: 0 } }],
    ['retry.maxAttempts', { retry: { maxAttempts: 1.5 } }],
    ['retry.backoffMs', { retry: { backoffMs: -1 } }],
    ['retry.backoffFactor', { retry: { backoffFactor: 0.5 } }],
    ['retry.maxBackoffMs', { retry: { maxBackoffMs: Infinity } }],
    ['retry.jitter', { retry: { jitter: 1.1 } }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: 604_800_001 }],
  ])('%s (%#)', (option, options) => {
    // @ts-expect-error what only JavaScript can pass
    const check = () => checkEnqueueOptions(options)
    expect(check).toThrow(expect.objectContaining({ code: 'OPTION_INVALID', details: { option } }))
    expect(check).toThrow(/ is .+\. Allowed: .+\. Correct it\.$/s)
  })
})
