// Joins the modules of each thread into a few files. A thread reads, resolves and compiles every module that it imports
// anew, and an engine starts five threads: with one file for each module that is a fifth of its start.
//
// Every entry keeps its path, since programs, threads, job modules and actor modules are found by it. What entries share
// is in src/chunks, two folders deep like every module before: paths to workers/ and migrations/ are relative to it.
import { globSync } from 'node:fs'
import { isAbsolute, join, posix, relative, sep } from 'node:path'
import { rolldown } from 'rolldown'

/** What is imported by its path: by users, as a thread, or by a thread that was told where its module is. */
const entries = [
  'src/index.ts',
  'src/jobs.ts',
  'src/client.ts',
  'src/cli/semantica.ts',
  'src/indexer/index-jobs.ts',
  'src/indexer/index-writer.ts',
  'src/subprocess/subprocess-jobs.ts',
  'src/subprocess/subprocesses.ts',
]

/**
 * What threads share, in a few files: to find a file costs a thread more than to read some code that it never runs. Only
 * `store` needs native code.
 */
const groups = [
  { name: 'shared', folders: ['errors', 'actor', 'job', 'config', 'store/file-system'] },
  { name: 'execution', folders: ['execution'] },
  { name: 'store', folders: ['store'] },
]

/** Whether a module is in one of these folders of `root`/src, or is the file of that name beside it. */
function isIn(root, folders) {
  const places = folders.map((folder) => join(root, 'src', folder))
  return (id) => places.some((place) => id === `${place}.ts` || id.startsWith(`${place}${sep}`))
}

/**
 * @param {string} root the folder of the sources
 * @param {string} output the folder that is to be `dist`
 * @param {readonly string[]} more entries beside those of the package
 */
export async function bundle(root, output, more = []) {
  const paths = [...entries, ...globSync('workers/*.ts', { cwd: root }), ...more]
  const build = await rolldown({
    input: Object.fromEntries(paths.map((path) => [path.replace(/\.ts$/, ''), join(root, path)])),
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    platform: 'node',
    plugins: [ownUrls(root, paths), lazyBuiltins()],
    tsconfig: false,
    onwarn: (warning) => {
      throw new Error(warning.message)
    },
  })
  await build.write({
    dir: output,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'src/chunks/[name].js',
    codeSplitting: {
      groups: groups.map(({ name, folders }) => ({ name, test: isIn(root, folders), minShareCount: 2 })),
    },
  })
  await build.close()
}

/**
 * Job and actor modules tell threads to import `import.meta.url`. Where such an entry is shared, its code ends up in a
 * chunk, with other names for what it exports: it has to tell the entry's own path all the same.
 */
function ownUrls(root, paths) {
  const mark = /OWN_URL_OF\("([^"]+)"\)/g
  return {
    name: 'own-urls',
    transform(code, id) {
      const path = relative(root, id).replaceAll(sep, '/')
      if (!paths.includes(path)) return
      return code.replaceAll('import.meta.url', `OWN_URL_OF("${path.replace(/\.ts$/, '.js')}")`)
    },
    renderChunk(code, chunk) {
      const from = posix.dirname(chunk.fileName)
      return code.replaceAll(
        mark,
        (_, path) => `new URL("${posix.relative(from, path)}", import.meta.url).href`,
      )
    },
  }
}

/**
 * Who imports a module of Node has every name of it made: with `node:fs` and `node:util` come dozens of modules that nobody
 * here uses, and in each thread again. Taken as an object, it makes only the names that are asked for.
 */
function lazyBuiltins() {
  return {
    name: 'lazy-builtins',
    renderChunk: (code) =>
      code.replace(
        /^import (\w+)?(?:, )?(?:\{ (.+) \})? from "(node:.+)";$/gm,
        (_, whole, names, builtin) => {
          const object = `process.getBuiltinModule("${builtin}")`
          return [
            whole && `const ${whole} = ${object};`,
            names && `const { ${names.replaceAll(' as ', ': ')} } = ${object};`,
          ]
            .filter(Boolean)
            .join('\n')
        },
      ),
  }
}
