import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Language as Grammar, Parser } from '@vscode/tree-sitter-wasm'
import type { LanguageRules, Rule, RuleTable } from './definition-walk.ts'
import { goRules } from './go-rules.ts'
import { javascriptRules, typescriptRules } from './javascript-rules.ts'
import type { Language } from './language.ts'
import { pythonRules } from './python-rules.ts'

export interface LoadedGrammar {
  readonly parser: Parser
  readonly table: RuleTable
  /** What it runs in. */
  readonly runtime: Promise<Runtime>
}

const rulesOfLanguage: Readonly<Record<Language, LanguageRules>> = {
  typescript: typescriptRules,
  tsx: typescriptRules,
  javascript: javascriptRules,
  python: pythonRules,
  go: goRules,
}

type Runtime = typeof import('@vscode/tree-sitter-wasm')

const require = createRequire(import.meta.url)
const packageName = '@vscode/tree-sitter-wasm'
const loaded = new Map<Language, Promise<LoadedGrammar>>()
let runtime: Promise<Runtime> | undefined

/**
 * One parser per language and thread, made when the language is first met. A parser is used by one parse at a time;
 * parsing is synchronous, so that holds by itself.
 */
export function loadGrammar(language: Language): Promise<LoadedGrammar> {
  let grammar = loaded.get(language)
  if (grammar === undefined) {
    grammar = load(language)
    loaded.set(language, grammar)
    // A failed load (out of memory, say) is tried again by the next file.
    const failed = grammar
    grammar.catch(() => {
      if (loaded.get(language) === failed) loaded.delete(language)
    })
  }
  return grammar
}

async function load(language: Language): Promise<LoadedGrammar> {
  runtime ??= loadRuntime()
  const used = runtime
  try {
    const { Language: GrammarClass, Parser: ParserClass } = await used
    const grammar = await GrammarClass.load(await readFile(join(folder(), `tree-sitter-${language}.wasm`)))
    const parser = new ParserClass().setLanguage(grammar)
    return { parser, table: tableOf(grammar, rulesOfLanguage[language]), runtime: used }
  } catch (error) {
    forgetRuntime(used)
    throw error
  }
}

/** Loads what all grammars run in. Never rejects: what goes wrong is told by the grammar that is loaded next. */
export async function prepareRuntime(): Promise<void> {
  if (runtime !== undefined) return
  const prepared = loadRuntime()
  runtime = prepared
  await prepared.catch(() => forgetRuntime(prepared))
}

/**
 * Forgets a runtime that a parse has broken, and its grammars: once its memory is used up, every later call fails as
 * well. The next file loads a fresh one. False: it was forgotten before.
 */
export function forgetRuntime(broken: LoadedGrammar['runtime']): boolean {
  if (runtime !== broken) return false
  runtime = undefined
  loaded.clear()
  delete require.cache[require.resolve(packageName)]
  return true
}

/** The runtime is a CommonJS file that finds its own .wasm beside it. */
async function loadRuntime(): Promise<Runtime> {
  // The boundary where the package gets its type. Required, since what was imported could not be loaded afresh.
  const tree = require(packageName) as Runtime
  await tree.Parser.init()
  return tree
}

function folder(): string {
  return dirname(require.resolve(packageName))
}

function tableOf(grammar: Grammar, { rules, nestedKeywords }: LanguageRules): RuleTable {
  const ruleOfType: (Rule | undefined)[] = []
  // An alias can give one name to several ids, so the ids are gone through, not the names.
  for (let id = 0; id < grammar.nodeTypeCount; id++) {
    const name = grammar.nodeTypeForId(id)
    const named = name !== null && grammar.nodeTypeIsNamed(id)
    ruleOfType.push(named && Object.hasOwn(rules, name) ? rules[name] : undefined)
  }
  return { ruleOfType, nestedKeywords }
}
