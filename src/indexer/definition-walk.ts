import type { Node, Tree, TreeCursor } from '@vscode/tree-sitter-wasm'

/**
 * How definitions are found: a cursor walks the tree and enters only nodes that can hold definitions (statements,
 * bodies), never expressions, and inside functions only where a keyword says that there is something to find. Every
 * step crosses into WebAssembly, so what is not entered is what makes it fast: about 5 % of the parse time, where
 * walking every node or running a query costs 20 to 40 %.
 */
export type DefinitionKind =
  | 'function'
  | 'method'
  | 'class'
  | 'struct'
  | 'interface'
  | 'type'
  | 'enum'
  | 'member'
  | 'namespace'
  | 'constant'
  | 'variable'
  | 'field'

export interface Definition {
  readonly name: string
  readonly kind: DefinitionKind
  /** 1-based line of the name. */
  readonly line: number
  /** Names of the enclosing definitions, joined by dots; empty at the top. */
  readonly container: string
  /** The line of the name as it stands in the source, trimmed, at most 200 characters. */
  readonly text: string
}

/** What encloses the node at hand: decides between function and method, and whether variables count. */
export interface Scope {
  readonly level: 'top' | 'class' | 'function'
  readonly container: string
}

/**
 * What to do at a node of one type: may define something, and returns the scope of its children; undefined leaves
 * them out.
 */
export type Rule = (walk: DefinitionWalk, scope: Scope) => Scope | undefined

/** What is known of a language: how its definitions are found. */
export interface LanguageRules {
  /** By node type. A type that is not listed is not entered. */
  readonly rules: Readonly<Record<string, Rule>>
  /** Texts of which one stands in every definition that can occur inside a function. */
  readonly nestedKeywords: readonly string[]
}

/** The same, with the rules by node type id. */
export interface RuleTable {
  readonly ruleOfType: readonly (Rule | undefined)[]
  readonly nestedKeywords: readonly string[]
}

const maxTextCharacters = 200
const maxNameCharacters = 200
/** The type id of what the parser could not make sense of; whole statements may stand in there. */
const errorType = 65_535
const topScope: Scope = { level: 'top', container: '' }

export class DefinitionWalk {
  readonly found: Definition[] = []
  readonly cursor: TreeCursor
  readonly #text: string
  readonly #keywords: readonly string[]
  /** Where each keyword stands next, at or after the last place that was asked for. */
  readonly #keywordAt: number[]

  constructor(cursor: TreeCursor, text: string, nestedKeywords: readonly string[]) {
    this.cursor = cursor
    this.#text = text
    this.#keywords = nestedKeywords
    this.#keywordAt = nestedKeywords.map(() => -1)
  }

  /**
   * Whether the node at hand may hold a definition, going by the keywords in its text. Nodes come in source order, so
   * each keyword is searched for once through the whole text.
   */
  holdsKeyword(): boolean {
    const start = this.cursor.startIndex
    const end = this.cursor.endIndex
    return this.#keywords.some((keyword, index) => {
      let at = this.#keywordAt[index] ?? -1
      if (at < start) {
        at = this.#text.indexOf(keyword, start)
        if (at === -1) at = Number.POSITIVE_INFINITY
        this.#keywordAt[index] = at
      }
      return at < end
    })
  }

  get node(): Node {
    return this.cursor.currentNode
  }

  textOf(node: Node): string {
    return this.#text.slice(node.startIndex, node.endIndex)
  }

  /** Records a definition named by `nameNode`. Gives its name, or undefined when that cannot be a name. */
  define(kind: DefinitionKind, nameNode: Node | null, scope: Scope): string | undefined {
    if (nameNode === null) return undefined
    const name = unquote(this.textOf(nameNode))
    // Names that are patterns, computed expressions or made up by error recovery do not help anybody.
    if (name === '' || name.length > maxNameCharacters || /[\n{[(]/.test(name)) return undefined
    this.found.push({
      name,
      kind,
      line: nameNode.startPosition.row + 1,
      container: scope.container,
      text: this.#lineAround(nameNode.startIndex),
    })
    return name
  }

  #lineAround(index: number): string {
    const start = this.#text.lastIndexOf('\n', index - 1) + 1
    const newline = this.#text.indexOf('\n', index)
    const line = this.#text.slice(start, newline === -1 ? undefined : newline)
    const indent = line.length - line.trimStart().length
    // In a minified file the line is the file: show what surrounds the name.
    const from = index - start - indent > maxTextCharacters / 2 ? index - start - 40 : indent
    return line.slice(from, from + maxTextCharacters).trimEnd()
  }
}

/** Walks a tree without recursion, so that deep nesting cannot exhaust the stack. */
export function walkDefinitions(tree: Tree, table: RuleTable, text: string): readonly Definition[] {
  const cursor = tree.walk()
  try {
    const walk = new DefinitionWalk(cursor, text, table.nestedKeywords)
    const outer: Scope[] = []
    let scope = topScope
    for (;;) {
      const type = cursor.nodeTypeId
      const rule = type === errorType ? enter : table.ruleOfType[type]
      const inner = rule?.(walk, scope)
      if (inner !== undefined && cursor.gotoFirstChild()) {
        outer.push(scope)
        scope = inner
        continue
      }
      while (!cursor.gotoNextSibling()) {
        if (!cursor.gotoParent()) return walk.found
        scope = outer.pop() ?? topScope
      }
    }
  } finally {
    cursor.delete()
  }
}

export function within(scope: Scope, name: string, level: Scope['level']): Scope {
  return { level, container: scope.container === '' ? name : `${scope.container}.${name}` }
}

/** A rule that only goes on to the children. */
export const enter: Rule = (_walk, scope) => scope

/** The same for statements, which inside functions are mostly not worth it. */
export const enterStatement: Rule = (walk, scope) =>
  scope.level !== 'function' || walk.holdsKeyword() ? scope : undefined

/** A rule for nodes with a `name` field whose children are in a scope of `level`. */
export function defines(kind: DefinitionKind, level: Scope['level']): Rule {
  return (walk, scope) => {
    const name = walk.define(kind, walk.node.childForFieldName('name'), scope)
    return name === undefined ? scope : within(scope, name, level)
  }
}

/** A rule for a function that is a method when it stands directly in a class. */
export const definesFunction: Rule = (walk, scope) => {
  const kind = scope.level === 'class' ? 'method' : 'function'
  const name = walk.define(kind, walk.node.childForFieldName('name'), scope)
  return within(scope, name ?? '', 'function')
}

/** A rule for nodes with a `name` field whose children hold nothing of interest. */
export function definesLeaf(kind: DefinitionKind, field = 'name'): Rule {
  return (walk, scope) => {
    walk.define(kind, walk.node.childForFieldName(field), scope)
    return undefined
  }
}

function unquote(name: string): string {
  return /^(["'`]).*\1$/s.test(name) ? name.slice(1, -1) : name
}
