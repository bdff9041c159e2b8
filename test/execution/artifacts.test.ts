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
