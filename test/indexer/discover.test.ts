import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { discoverFiles, resolveDirectory } from '../../src/indexer/discover.ts'
import { TemporaryTree } from './direct-indexer.ts'

function git(folder: string, ...commandLine: readonly string[]): void {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=main']
  execFileSync('git', [...identity, ...commandLine], { cwd: folder, stdio: 'ignore' })
}

async function found(folder: string, state = join(folder, '.semantica')): Promise<readonly string[]> {
  const { files } = await discoverFiles(folder, state)
  return files.map(({ path }) => path).sort()
}

const rules = {
  '.gitignore': '*.log\nbuild/\n!keep.log\n',
  'sub/.gitignore': '/only-here.ts\n!special.log\n',
  'a.ts': 'a',
  'a.log': 'x',
  'keep.log': 'x',
  'build/out.ts': 'x',
  'sub/only-here.ts': 'x',
  'sub/deep/only-here.ts': 'x',
  'sub/special.log': 'x',
  'sub/other.log': 'x',
  '.semantica/tasks.db': 'x',
  'nested/.semantica/index.db': 'x',
}
const kept = ['.gitignore', 'a.ts', 'keep.log', 'sub/.gitignore', 'sub/deep/only-here.ts', 'sub/special.log']

test('a walk and git find the same files', async () => {
  using plain = new TemporaryTree().write(rules)
  expect(await found(plain.path)).toEqual(kept)
  using repository = new TemporaryTree().write(rules)
  git(repository.path, 'init')
  expect(await found(repository.path)).toEqual(kept)
})

test('in a repository: tracked files, without deleted ones, links, submodules and duplicates of a conflict', async () => {
  using tree = new TemporaryTree().write({
    'a.ts': 'a',
    'gone.ts': 'g',
    'forced.log': 'f',
    '.gitignore': '*.log',
  })
  git(tree.path, 'init')
  git(tree.path, 'add', '-f', '.')
  git(tree.path, 'commit', '-m', 'one')
  git(tree.path, 'checkout', '-b', 'other')
  tree.write({ 'a.ts': 'b' })
  git(tree.path, 'commit', '-am', 'two')
  git(tree.path, 'checkout', 'main')
  tree.write({ 'a.ts': 'c' })
  git(tree.path, 'commit', '-am', 'three')
  expect(() => git(tree.path, 'merge', 'other')).toThrow()
  rmSync(join(tree.path, 'gone.ts'))
  symlinkSync('a.ts', join(tree.path, 'link.ts'))
  mkdirSync(join(tree.path, 'module'))
  git(join(tree.path, 'module'), 'init')
  tree.write({ 'module/inner.ts': 'x' })
  expect(await found(tree.path)).toEqual(['.gitignore', 'a.ts', 'forced.log'])
})

test('an ignored directory is walked when it is named, by the rules that hold inside', async () => {
  using tree = new TemporaryTree().write({
    '.gitignore': 'node_modules\n*.map\n',
    'node_modules/p/a.ts': 'a',
    'node_modules/p/a.map': 'm',
    'node_modules/p/secret.ts': 's',
  })
  git(tree.path, 'init')
  writeFileSync(join(tree.path, '.git/info/exclude'), 'secret.ts\n')
  expect(await found(join(tree.path, 'node_modules'))).toEqual(['p/a.ts'])
  expect(await found(join(tree.path, 'node_modules', 'p'))).toEqual(['a.ts'])
})

test('a directory inside a repository gives its own files only', async () => {
  using tree = new TemporaryTree().write({
    'a.ts': 'a',
    'sub/b.ts': 'b',
    '.gitignore': '*.log',
    'sub/c.log': '',
  })
  git(tree.path, 'init')
  expect(await found(join(tree.path, 'sub'))).toEqual(['b.ts'])
})

test('links are not followed: loops of them do no harm', async () => {
  using tree = new TemporaryTree().write({ 'sub/a.ts': 'a' })
  symlinkSync('..', join(tree.path, 'sub/up'))
  symlinkSync('self', join(tree.path, 'self'))
  expect(await found(tree.path)).toEqual(['sub/a.ts'])
})

test('a state folder elsewhere inside the directory is left out, and so is a second name of what is in it', async () => {
  using tree = new TemporaryTree().write({ 'a.ts': 'a', 'state/index.db': 'x', 'state/b.ts': 'x' })
  linkSync(join(tree.path, 'state/index.db'), join(tree.path, 'linked.ts'))
  expect(await found(tree.path, join(tree.path, 'state'))).toEqual(['a.ts'])
})

test('names that are not UTF-8 are counted, with git and without', async () => {
  using tree = new TemporaryTree().write({ 'a.ts': 'a' })
  writeFileSync(Buffer.concat([Buffer.from(`${tree.path}/`), Buffer.from([0xff, 0x2e, 0x74, 0x73])]), 'x')
  expect(await discoverFiles(tree.path, '/nowhere')).toMatchObject({
    unnameable: 1,
    files: [{ path: 'a.ts' }],
  })
  git(tree.path, 'init')
  expect(await discoverFiles(tree.path, '/nowhere')).toMatchObject({
    unnameable: 1,
    files: [{ path: 'a.ts' }],
  })
})

test('what is not a directory is refused', () => {
  using tree = new TemporaryTree().write({ 'a.ts': 'a' })
  expect(() => resolveDirectory(join(tree.path, 'a.ts'))).toThrow(
    expect.objectContaining({ code: 'PATH_INVALID' }),
  )
  expect(() => resolveDirectory(join(tree.path, 'none'))).toThrow(
    expect.objectContaining({ code: 'PATH_INVALID' }),
  )
})
