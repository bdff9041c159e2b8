import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { redactFields, secretsIn } from '../../src/telemetry/redact.ts'

const redactText = (text: string, ...values: string[]) => redactFields({ text }, secretsIn(values)).text

describe('by name', () => {
  test.each([
    'token',
    'access_token',
    'apiKey',
    'api_key',
    'x-api-key',
    'password',
    'passwd',
    'client_secret',
    'Authorization',
    'private_key',
    'cookie',
    'credentials',
  ])('%s', (name) => {
    expect(redactFields({ [name]: 'visible', deep: [{ [name]: { inner: 'visible' } }] }, [])).toEqual({
      [name]: '[REDACTED]',
      deep: [{ [name]: '[REDACTED]' }],
    })
  })

  test('of an env the names stay', () => {
    expect(redactFields({ env: { HOME: '/root', DEBUG: '1' }, environment: 'A=b' }, [])).toEqual({
      env: { HOME: '[REDACTED]', DEBUG: '[REDACTED]' },
      environment: '[REDACTED]',
    })
  })

  test('numbers and flags are no secrets', () => {
    expect(redactFields({ tokens: 512, has_token: true, token: null }, [])).toEqual({
      tokens: 512,
      has_token: true,
      token: null,
    })
  })
})

describe('within a text', () => {
  test.each([
    ['curl -H "Authorization: Basic dXNlcjpwYXNz"', 'curl -H "Authorization: Basic [REDACTED]"'],
    ['got 401 for Bearer abc.def-ghi_jkl', 'got 401 for Bearer [REDACTED]'],
    ['postgres://app:pa55@db:5432/x is down', 'postgres://app:[REDACTED]@db:5432/x is down'],
    ['https://h/?api_key=12345678&page=2', 'https://h/?api_key=[REDACTED]&page=2'],
    ['{"password": "p4 ss", "user": "bob"}', '{"password": [REDACTED], "user": "bob"}'],
    ["secret: 'open sesame'", 'secret: [REDACTED]'],
    ['AWS_SECRET_ACCESS_KEY=abc/def exported', 'AWS_SECRET_ACCESS_KEY=[REDACTED] exported'],
    ['ghp_abcdefghijklmnopqrstuvwxyz0123456789', '[REDACTED]'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc', '[REDACTED]'],
  ])('%s', (text, redacted) => {
    expect(redactText(text)).toBe(redacted)
  })

  test.each([
    'Unexpected token: }',
    'Unexpected token } in JSON at position 4',
    'the token is missing',
    'Cannot read properties of undefined (reading "password")',
    'http://localhost:8080/a@b',
    'job_6x0k2m9q_1 failed after 30000 ms',
  ])('%s says nothing secret', (text) => {
    expect(redactText(text)).toBe(text)
  })
})

describe('known values', () => {
  test('wherever they stand, the longest first', () => {
    expect(redactText('first second first-second', 'first', 'first-second')).toBe(
      '[REDACTED] second [REDACTED]',
    )
  })

  test('each line of a long one', () => {
    expect(redactText('died: MIIEvQ', 'BEGIN\nMIIEvQ\nEND')).toBe('died: [REDACTED]')
  })

  test('short ones are words of everyday texts', () => {
    expect(redactText('it is on, with 1', 'on', '1')).toBe('it is on, with 1')
  })

  test('none is left, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4 }), fc.string(), fc.string(), (secret, before, after) => {
        fc.pre(secret.trim().length >= 4 && !'[REDACTED]'.includes(secret))
        const found = redactText(`${before}${secret}${after}`, secret)
        // What is put in its place may make one anew, together with what stands around it.
        expect(String(found).split('[REDACTED]').join('\0')).not.toContain(secret)
      }),
    )
  })
})

test('a long text takes no long time', () => {
  for (const text of [
    'a.'.repeat(4_000),
    'token'.repeat(1_600),
    'x:/'.repeat(2_666),
    '"\' :='.repeat(1_600),
  ]) {
    expect(redactText(text)).toBe(text)
  }
})
