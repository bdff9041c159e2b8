import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { storeArtifact } from '../../src/execution/artifacts.ts'
import { jobFilesOf } from '../../src/execution/job-files.ts'
import { thrownBy, usePlace } from '../store/folder.ts'

const place = usePlace()

test('an artifact that cannot be put in its place leaves no part of itself', () => {
  const database = place.pathOf('tasks.db')
  const files = jobFilesOf(database, 'job')
  // A folder of its name is in the way.
  mkdirSync(join(files.artifacts, 'report'), { recursive: true })
  thrownBy(() => storeArtifact(database, files, 'report', 'contents'), 'ARTIFACT_FAILED')
  expect(existsSync(files.partial)).toBe(false)
})

/** Runs a program to which a folder is on a disk that is only read: in a mount namespace, which ends with the program. */
function onReadOnlyDisk(unshare: string, folder: string): string[] {
  const mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
  return ['unshare', unshare, 'bash', '-c', mount, folder]
}

/** What lets this user have such a namespace; undefined: nothing does. */
const unshare = ['-m', '-Urm'].find((option) => {
  const [program = '', ...rest] = onReadOnlyDisk(option, '/tmp')
  return spawnSync(program, [...rest, 'true']).status === 0
})

test.skipIf(unshare === undefined)(
  'a disk that is only read is named as the cause (needs a mount namespace)',
  () => {
    const database = place.pathOf('tasks.db')
    const files = jobFilesOf(database, 'job')
    mkdirSync(`${database}-files`)
    const module = new URL('../../src/execution/artifacts.ts', import.meta.url).href
    const script = `const { storeArtifact } = await import(${JSON.stringify(module)})
    try { storeArtifact(${JSON.stringify(database)}, ${JSON.stringify(files)}, 'a', 'x') }
    catch (error) { console.log(error.code, error.cause.code) }`
    const [program = '', ...rest] = onReadOnlyDisk(unshare ?? '', `${database}-files`)
    const { stdout } = spawnSync(program, [...rest, process.execPath, '--input-type=module', '-e', script], {
      encoding: 'utf8',
    })
    expect(stdout).toBe('ARTIFACT_FAILED EROFS\n')
  },
)
