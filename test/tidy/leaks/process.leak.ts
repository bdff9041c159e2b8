import { spawn } from 'node:child_process'
import { test } from 'vitest'

test('leaves a child process', () => {
  spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }).unref()
})
