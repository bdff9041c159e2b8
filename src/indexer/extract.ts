import type { Parser } from '@vscode/tree-sitter-wasm'
import { Fatal } from '../jobs.ts'
import { type Definition, walkDefinitions } from './definition-walk.ts'
import { forgetRuntime, loadGrammar } from './grammar.ts'
import type { Language } from './language.ts'

export { prepareRuntime } from './grammar.ts'

/** Files above this look at `isCancelled` while they are parsed; below, the look costs more than the parse takes. */
const cancellableCharacters = 200_000

/**
 * The definitions of a source text, in source order. Text with errors in it gives what could be made out.
 *
 * @param isCancelled looked at now and then in long parses; when it says yes, the parse ends
 * @throws when the grammar cannot be loaded, or the parse was cancelled; Fatal when the text is too large for the parser
 */
export async function extractDefinitions(
  language: Language,
  text: string,
  isCancelled?: () => boolean,
): Promise<readonly Definition[]> {
  const { parser, table, runtime } = await loadGrammar(language)
  try {
    const tree = parse(parser, text, isCancelled)
    try {
      return walkDefinitions(tree, table, text)
    } finally {
      // The tree lives in WebAssembly memory, which no garbage collector sees.
      tree.delete()
    }
  } catch (error) {
    // What WebAssembly throws: here it means that its memory is used up.
    if (!(error instanceof Error) || error.name !== 'RuntimeError') throw error
    // Broken by a file that was parsed while this one waited for the same grammar.
    if (!forgetRuntime(runtime)) return extractDefinitions(language, text, isCancelled)
    const size = text.length.toLocaleString('en')
    throw new Fatal(`The parser ran out of memory on its ${size} characters: ${error.message}`, {
      cause: error,
    })
  }
}

function parse(parser: Parser, text: string, isCancelled?: () => boolean) {
  const watched = isCancelled !== undefined && text.length > cancellableCharacters
  const tree = parser.parse(text, undefined, watched ? { progressCallback: isCancelled } : undefined)
  if (tree === null) {
    // Without a reset the next file would go on where this one was left.
    parser.reset()
    throw new Error('The parse was cancelled')
  }
  return tree
}
