import { expect, test } from 'vitest'
import { prettyLine } from '../../src/telemetry/pretty-line.ts'

const line = {
  timestamp: '2026-05-04T09:30:00.042Z',
  level: 'WARN',
  trace_id: '',
  target: 'semantica.supervisor',
  fields: {},
  message: 'Job state transition',
}

const plain = (_colour: string, text: string) => text
const marked = (colour: string, text: string) => `<${colour}>${text}</>`
/** The time is that of the reader's place. */
const pretty = (changes: object, paint = plain) =>
  prettyLine(JSON.stringify({ ...line, ...changes }), paint).replace(/\d\d:\d\d:00\.042/, 'TIME')

test('one line, with the facts behind', () => {
  const fields = { job_id: 'job_a_1', from_state: 'RUNNING', state: 'FAILED', attempt: 2, tags: ['a', 'b'] }
  expect(pretty({ fields })).toBe(
    'TIME WARN  semantica.supervisor Job state transition RUNNING → FAILED job_id=job_a_1 attempt=2 tags=["a","b"]\n',
  )
  expect(pretty({ fields: { state: 'QUEUED' } })).toContain('Job state transition QUEUED')
  expect(pretty({ trace_id: '0af7651916cd43dd8448eb211c80319c' })).toContain(
    'trace_id=0af7651916cd43dd8448eb211c80319c',
  )
})

test('of an error the text, and the code where that does not say it', () => {
  const refused = { name: 'SemanticaError', message: 'The engine stops.', code: 'ENGINE_STOPPED' }
  expect(pretty({ fields: { error: refused } })).toContain(
    ' error="SemanticaError: The engine stops. (ENGINE_STOPPED)"\n',
  )
  const system = { name: 'Error', message: 'ENOENT: no such file', code: 'ENOENT' }
  expect(pretty({ fields: { error: system } })).toContain(' error="Error: ENOENT: no such file"\n')
})

test('of an error the text, and what caused it', () => {
  const error = { name: 'TypeError', message: 'no\nsuch', stack: 'TypeError: no\n    at x' }
  expect(pretty({ fields: { error } })).toContain(' error="TypeError: no\\nsuch"\n')
  const cause = { name: 'Error', message: 'refused' }
  expect(pretty({ fields: { error: { ...error, cause } } })).toContain(
    ' error="TypeError: no\\nsuch (cause: Error: refused)"\n',
  )
})

test('nothing that a terminal obeys gets through', () => {
  const hostile = '\u001b[2J\r\u0007\u009b31m\u2028\u202e'
  const printed = pretty({ fields: { hostile } })
  expect(printed).toContain('hostile="\\u001b[2J\\r\\u0007\\u009b31m\\u2028\\u202e"\n')
})

test('coloured by the level', () => {
  expect(pretty({}, marked)).toContain('<yellow>WARN </>')
  expect(pretty({ level: 'ERROR' }, marked)).toContain('<red>ERROR</>')
})
