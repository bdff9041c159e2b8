#!/usr/bin/env node
// This file must be understood by old versions of Node, so that they can be told that they are too old: it imports
// nothing before the check.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  const { main } = await import('./main.ts')
  await main(process.argv)
} else {
  process.stderr.write(`semantica: Node ${process.versions.node} is too old. Needed: 22.18 or newer.\n`)
  process.exitCode = 2
}

export {}
