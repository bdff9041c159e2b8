import { spawn } from 'node:child_process'

/**
 * Paths below `folder` that git tracks or would add, as raw bytes; undefined when git cannot say (not installed, not a
 * repository, not trusted) or when `folder` itself is ignored, so that the caller walks instead. May hold deleted
 * files, links and submodules.
 */
export async function listWithGit(
  folder: string,
  signal: AbortSignal | undefined,
): Promise<readonly Buffer[] | undefined> {
  const listing = runGit(
    folder,
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'],
    signal,
  )
  const check = runGit(folder, ['check-ignore', '-q', '--', folder], signal)
  const [listed, ignored] = await Promise.all([listing, check])
  if (listed.exitCode !== 0 || ignored.exitCode === 0) return undefined
  return splitAtNul(listed.output)
}

/** Where the repository keeps its own list of ignored paths, when `folder` lies in one. */
export async function gitFolders(
  folder: string,
): Promise<{ readonly root: string; readonly gitFolder: string } | undefined> {
  const answer = await runGit(folder, ['rev-parse', '--show-toplevel', '--git-common-dir'])
  const [root, gitFolder] = answer.output.toString('utf8').split('\n')
  return answer.exitCode === 0 && root && gitFolder ? { root, gitFolder } : undefined
}

interface GitAnswer {
  /** null when git could not be started or was ended. */
  readonly exitCode: number | null
  readonly output: Buffer
}

function runGit(folder: string, commandLine: readonly string[], signal?: AbortSignal): Promise<GitAnswer> {
  return new Promise((resolve) => {
    // A repository's own fsmonitor hook is a program: indexing a tree must not run what the tree brings.
    const git = spawn('git', ['-c', 'core.fsmonitor=false', ...commandLine], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'ignore'],
      signal,
    })
    const chunks: Buffer[] = []
    git.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    git.on('error', () => resolve({ exitCode: null, output: Buffer.alloc(0) }))
    git.on('close', (exitCode) => resolve({ exitCode, output: Buffer.concat(chunks) }))
  })
}

function splitAtNul(bytes: Buffer): readonly Buffer[] {
  const paths: Buffer[] = []
  let start = 0
  for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
    if (end > start) paths.push(bytes.subarray(start, end))
    start = end + 1
  }
  return paths
}
