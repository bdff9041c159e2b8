import { Worker } from 'node:worker_threads'
import { test } from 'vitest'

test('leaves a thread, hidden from the event loop', () => {
  new Worker('setInterval(() => {}, 1000)', { eval: true }).unref()
})
