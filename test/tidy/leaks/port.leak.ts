import { MessageChannel } from 'node:worker_threads'
import { test } from 'vitest'

test('leaves an open port', () => {
  new MessageChannel().port1.on('message', () => {})
})
