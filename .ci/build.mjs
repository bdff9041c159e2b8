// Builds dist/ and links the command into node_modules/.bin, so that `npx semantica` works in a clone:
// npx does not link a package's own command, and its cache may hold a broken copy of an earlier attempt.
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bundle } from './bundle.mjs'

const root = resolve(import.meta.dirname, '..')
rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
await bundle(root, join(root, 'dist'))
cpSync(join(root, 'migrations'), join(root, 'dist/migrations'), { recursive: true })

const command = join(root, 'dist/src/cli/semantica.js')
chmodSync(command, 0o755)
const bin = join(root, 'node_modules/.bin')
if (existsSync(join(root, 'node_modules'))) {
  mkdirSync(bin, { recursive: true })
  rmSync(join(bin, 'semantica'), { force: true })
  symlinkSync('../../dist/src/cli/semantica.js', join(bin, 'semantica'))
}
