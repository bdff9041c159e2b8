import { test } from 'vitest'

test('leaves a timer', () => {
  setInterval(() => {}, 60_000)
})
