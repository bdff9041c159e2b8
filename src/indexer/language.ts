/** The languages that are read, each with its grammar. What is not listed here is skipped without being opened. */
const extensions = {
  typescript: ['.ts', '.mts', '.cts'],
  tsx: ['.tsx'],
  javascript: ['.js', '.jsx', '.mjs', '.cjs'],
  python: ['.py', '.pyi'],
  go: ['.go'],
} as const

export type Language = keyof typeof extensions

const languageOfExtension = new Map<string, Language>(
  Object.entries(extensions).flatMap(([language, endings]) =>
    endings.map((ending): [string, Language] => [ending, language as Language]),
  ),
)

/** The language of a path by its extension (case does not matter), or undefined when there is no grammar for it. */
export function languageOf(path: string): Language | undefined {
  const dot = path.lastIndexOf('.')
  // A dot that begins the name (`.py`) is a hidden file without an extension.
  if (dot <= path.lastIndexOf('/') + 1) return undefined
  return languageOfExtension.get(path.slice(dot).toLowerCase())
}
