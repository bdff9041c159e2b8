import { hash } from 'node:crypto'

const maxCharacters = 512
const hashCharacters = 32

/** Subject key of a file's job: `cli::<repository>::<path>`, with a hash in place of what is over the limit. */
export function subjectKeyOf(repository: string, path: string): string {
  const key = `cli::${repository}::${path}`
  if (key.length <= maxCharacters) return key
  const tail = hash('sha256', key, 'hex').slice(0, hashCharacters)
  return `${key.slice(0, maxCharacters - hashCharacters - 1)}#${tail}`
}
