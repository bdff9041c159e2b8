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
    ['curl -u bob:hunter22 --user "bob:p4 ss" h', 'curl -u [REDACTED] --user [REDACTED] h'],
    ['?a=1&sessionid=hunter22&b=2', '?a=1&sessionid=[REDACTED]&b=2'],
    ['?X-Amz-Signature=hunter22&b=2', '?X-Amz-Signature=[REDACTED]&b=2'],
    ['r=%2Fx%3Ftoken%3Dhunter22', 'r=%2Fx%3Ftoken%3D[REDACTED]'],
    ['got 401 for Bearer abc.def-ghi_jkl', 'got 401 for Bearer [REDACTED]'],
    ['postgres://app:pa55@db:5432/x is down', 'postgres://app:[REDACTED]@db:5432/x is down'],
    ['https://h/?api_key=12345678&page=2', 'https://h/?api_key=[REDACTED]&page=2'],
    ['{"password": "p4 ss", "user": "bob"}', '{"password": [REDACTED], "user": "bob"}'],
    ["secret: 'open sesame'", 'secret: [REDACTED]'],
    ['AWS_SECRET_ACCESS_KEY=abc/def exported', 'AWS_SECRET_ACCESS_KEY=[REDACTED] exported'],
    ['ghp_abcdefghijklmnopqrstuvwxyz0123456789', '[REDACTED]'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc', '[REDACTED]'],
    ['sk_live_abcdefghijklmnop', '[REDACTED]'],
    ['invalid token: hunter22', 'invalid token: [REDACTED]'],
    ['Unexpected token: hunter22', 'Unexpected token: [REDACTED]'],
    ['Invalid password=hunter22', 'Invalid password=[REDACTED]'],
    ['missing secret=abc', 'missing secret=[REDACTED]'],
    ['PRIVATE_KEY=abcdef', 'PRIVATE_KEY=[REDACTED]'],
    ['credential=abc', 'credential=[REDACTED]'],
    ['Cookie: session=hunter22; a=b', 'Cookie: [REDACTED]'],
    ['{"set-cookie":"sid=hunter22; Path=/","x":1}', '{"set-cookie":"[REDACTED]","x":1}'],
    ['Authorization: Digest username="x", response="hunter22"', 'Authorization: [REDACTED]'],
    ['Server=x;Pwd=hunter22;', 'Server=x;Pwd=[REDACTED];'],
    ['DB_PWD=hunter22', 'DB_PWD=[REDACTED]'],
    ['mysql --password hunter22 -h db', 'mysql --password [REDACTED] -h db'],
    ['mysql --password "p4 ss" -h db', 'mysql --password [REDACTED] -h db'],
    ['GET https://h/json?key=AIzaSyD&page=2', 'GET https://h/json?key=[REDACTED]&page=2'],
    ['key=aB3dE6gH9jK2mN5pQ8sT', 'key=[REDACTED]'],
    ['postgres://user:p@ss@host/db', 'postgres://user:[REDACTED]@host/db'],
    ['postgres://user:pa/ss@host/db', 'postgres://user:[REDACTED]@host/db'],
    ['redis://a:b@h1,redis://c:d@h2', 'redis://a:[REDACTED]@h1,redis://c:[REDACTED]@h2'],
    [String.raw`{"password":"abc\"def","user":"bob"}`, '{"password":[REDACTED],"user":"bob"}'],
    [String.raw`"{\"password\":\"abc\",\"user\":1}"`, String.raw`"{\"password\":[REDACTED],\"user\":1}"`],
    ['{"password":"abc was cut', '{"password":[REDACTED]'],
    [`token="${'long '.repeat(1_000)}" sent`, 'token=[REDACTED] sent'],
    [
      'read -----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-256\n\nMIIEv\n-----END RSA PRIVATE KEY----- now',
      'read [REDACTED] now',
    ],
    ['-----BEGIN PRIVATE KEY-----\nMIIEv', '[REDACTED]'],
    ['cannot clone https://hunter22@github.com/x.git', 'cannot clone https://[REDACTED]@github.com/x.git'],
    ['git+https://hunter22@h/x', 'git+https://[REDACTED]@h/x'],
    ["'password' => 'hunter22', 'user' => 'bob'", "'password' => [REDACTED], 'user' => 'bob'"],
    ['password => hunter22', 'password => [REDACTED]'],
    ['password==hunter22 secret === hunter22', 'password==[REDACTED] secret === [REDACTED]'],
    ['token:=hunter22', 'token:=[REDACTED]'],
    ['pass=hunter22 user=bob', 'pass=[REDACTED] user=bob'],
    ['DB_PASS=hunter22 SMTP_AUTH="a b"', 'DB_PASS=[REDACTED] SMTP_AUTH=[REDACTED]'],
    ['{"user":"bob","pass":"hunter22"}', '{"user":"bob","pass":[REDACTED]}'],
    ["connect({ auth: 'hunter22' })", 'connect({ auth: [REDACTED] })'],
    ['auth => hunter22', 'auth => [REDACTED]'],
    ['authorization=Bearer%20hunter22', 'authorization=Bearer%20[REDACTED]'],
    ['u=%2Fx%3Fauthorization%3DBasic%20hunter22&b=2', 'u=%2Fx%3Fauthorization%3DBasic%20[REDACTED]&b=2'],
    ['apikey hunter22 is revoked', 'apikey [REDACTED] is revoked'],
    ['API key: hunter22, X-Api-Key hunter22', 'API key: [REDACTED], X-Api-Key [REDACTED]'],
    ['{"tokens":["hunter22"],"a":1}', '{"tokens":[REDACTED],"a":1}'],
    ['{"password":{"v":"hunter22"}}', '{"password":[REDACTED]}'],
    [
      '{"auth":{"v":"}"},"authorization":[1],"cookies":[{}]} in',
      '{"auth":[REDACTED],"authorization":[REDACTED],"cookies":[REDACTED]} in',
    ],
    [
      String.raw`"{\"token\":{\"v\":\"a\\\"}b\"},\"user\":1}" now`,
      String.raw`"{\"token\":[REDACTED],\"user\":1}" now`,
    ],
    ["{ token: [ 'it\\'s ]', \"it's ]\" ], user: 'bob' }", "{ token: [REDACTED], user: 'bob' }"],
    [
      '{"cause":{"env":{"A":"hunter22","B":{"C":"hunter22"}},"user":"bob"}}',
      '{"cause":{"env":[REDACTED],"user":"bob"}}',
    ],
    [
      "{ env: [Object: null prototype] { A: 'hunter22' }, environment: { B: 'hunter22' } }",
      '{ env: [REDACTED], environment: [REDACTED] }',
    ],
    ['{"secrets":[{"v":"hunter22"},{"v":"was cut…', '{"secrets":[REDACTED]'],
    [
      'Error: {"secrets":["was cut…\n    at run (file:///x.js:1:1)',
      'Error: {"secrets":[REDACTED]\n    at run (file:///x.js:1:1)',
    ],
  ])('%s', (text, redacted) => {
    expect(redactText(text)).toBe(redacted)
  })

  test.each([
    'Unexpected token: }',
    'Unexpected token } in JSON at position 4',
    'Unexpected token: "}", expected: ;',
    'Unexpected token: punc (})',
    'Expected token: =>',
    'password: must be at least 8 characters',
    'API_KEY: required',
    'invalid token: expired',
    "Type '{ token: string; }' is not assignable",
    'option --token is required; give --password, or --secret-file',
    'password=""',
    'max_tokens=512',
    'PWD=/srv/app OLDPWD=/root pwd: ~/x PWD=C:\\x',
    'duplicate key=users_email, subject_key: cli::repo::src/a1.ts',
    'key: 6f1ed002ab5595859014ebf0951522d9',
    'http://localhost:4873/@scope/package',
    'http://localhost:8080?mail=a@b.c',
    '-----BEGIN CERTIFICATE-----\nMIIEv\n-----END CERTIFICATE-----',
    'https://github.com/a@b and ssh://git@github.com/x.git',
    'mail bob@example.org about https://example.org',
    'compass=north author=bob bypass=1 authority: x authenticated=x',
    'pass: 12, fail: 0; auth: ok',
    'auth=none pass=true',
    'token => null',
    'the cookie: a small cake',
    'the token is missing',
    'Cannot read properties of undefined (reading "password")',
    'http://localhost:8080/a@b',
    'job_6x0k2m9q_1 failed after 30000 ms',
    'Unexpected token: { in JSON, Unexpected token: [',
    '{"tokens":[],"secrets":{}}',
    'NODE_ENV=production env: production {"env":"production"}',
    'no api key was given, the apikey has expired',
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

  test('as JSON spells them', () => {
    const secret = 'p"w\\d\nsecond line'
    expect(redactText(`env ${JSON.stringify({ KEY: secret })}`, secret)).toBe('env {"KEY":"[REDACTED]"}')
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
    'a-'.repeat(4_000),
    '-----BEGIN '.repeat(800),
    '\\"'.repeat(4_000),
    'http://a:'.repeat(900),
    `key=${'a'.repeat(8_000)}`,
    'env:'.repeat(2_000),
    '\\\\"'.repeat(2_000),
  ]) {
    expect(redactText(text)).toBe(text)
  }
  for (const opening of ['token:{', 'env={"', "tokens: ['\\\\"]) {
    const redacted = `${opening.slice(0, opening.search(/[{[]/))}[REDACTED]`
    expect(redactText(opening.repeat(2_000))).toBe(redacted)
  }
})
