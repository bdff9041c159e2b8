import { parseAst } from 'vitest/node'

/**
 * What the rules need to know about one file of the house. Found in its syntax tree, so that comments, strings and
 * templates cannot be mistaken for code.
 */
export interface Source {
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly imports: readonly Import[]
  readonly exports: readonly Export[]
  readonly uses: readonly Use[]
  readonly functions: readonly FunctionSpan[]
  /** Lines with the type `any`. */
  readonly anyLines: readonly number[]
  readonly strings: ReadonlySet<string>
  /** How often each identifier occurs, its declaration included. */
  readonly identifiers: ReadonlyMap<string, number>
}

export interface Import {
  /** As written, such as `../errors.ts`. */
  readonly specifier: string
  /** Imported names; `*` stands for all of them. */
  readonly names: readonly string[]
  readonly typeOnly: boolean
  /** `url`: named in `new URL('./x.ts', import.meta.url)`, not imported. */
  readonly kind: 'import' | 'url'
  readonly line: number
}

export interface Export {
  readonly name: string
  readonly typeOnly: boolean
  readonly line: number
}

/** A reference to something global, such as `process.env`, `setTimeout`, `console` or `new Worker`. */
export interface Use {
  readonly name: string
  readonly line: number
}

export interface FunctionSpan {
  readonly name: string
  readonly line: number
  readonly lines: number
  /** What it is an argument of, such as `describe`. */
  readonly argumentOf: string | undefined
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

interface Place {
  readonly parent: Node | undefined
  readonly field: string
}

/** @throws when the text is not TypeScript */
export function readSource(path: string, text: string): Source {
  const lineOf = lineFinder(text)
  const imports: Import[] = []
  const exports: Export[] = []
  const uses: Use[] = []
  const functions: FunctionSpan[] = []
  const anyLines: number[] = []
  const strings = new Set<string>()
  const identifiers = new Map<string, number>()
  walk(parseAst(text, { lang: 'ts' }, path), { parent: undefined, field: '' }, (node, place) => {
    const line = lineOf(node.start)
    imports.push(...importsOf(node).map((found) => ({ ...found, line })))
    exports.push(...exportsOf(node).map((found) => ({ ...found, line })))
    uses.push(...usesOf(node, place).map((name) => ({ name, line })))
    if (isFunction(node)) functions.push(spanOf(node, place, lineOf))
    if (node.type === 'TSAnyKeyword') anyLines.push(line)
    if (node.type === 'Literal' && typeof node.value === 'string') strings.add(node.value)
    if (node.type === 'Identifier') {
      const name = nameOf(node)
      identifiers.set(name, (identifiers.get(name) ?? 0) + 1)
    }
  })
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  return { path, text, lines, imports, exports, uses, functions, anyLines, strings, identifiers }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

/** The value as a node; an absent one has no type and no fields. */
function nodeAt(value: unknown): Node {
  return isNode(value) ? value : { type: '', start: 0, end: 0 }
}

function nodesAt(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.filter(isNode) : []
}

function walk(value: unknown, place: Place, visit: (node: Node, place: Place) => void): void {
  if (Array.isArray(value)) {
    for (const element of value) walk(element, place, visit)
    return
  }
  if (!isNode(value)) return
  visit(value, place)
  for (const [field, child] of Object.entries(value)) {
    if (typeof child === 'object' && child !== null) walk(child, { parent: value, field }, visit)
  }
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    const after = starts.findIndex((start) => start > offset)
    return after === -1 ? starts.length : after
  }
}

/** The name of an identifier, or the text of a literal used as a name. */
function nameOf(value: unknown): string {
  const node = nodeAt(value)
  return String(node.name ?? node.value ?? '')
}

function importsOf(node: Node): Omit<Import, 'line'>[] {
  const specifier = nameOf(node.source)
  switch (node.type) {
    case 'ImportDeclaration': {
      const specifiers = nodesAt(node.specifiers)
      const allTypes = specifiers.length > 0 && specifiers.every((one) => one.importKind === 'type')
      return [
        {
          specifier,
          names: specifiers.map(importedName),
          typeOnly: node.importKind === 'type' || allTypes,
          kind: 'import',
        },
      ]
    }
    case 'ExportNamedDeclaration': {
      if (!isNode(node.source)) return []
      const specifiers = nodesAt(node.specifiers)
      const allTypes = specifiers.length > 0 && specifiers.every((one) => one.exportKind === 'type')
      const names = specifiers.map((one) => nameOf(one.local))
      return [{ specifier, names, typeOnly: node.exportKind === 'type' || allTypes, kind: 'import' }]
    }
    case 'ExportAllDeclaration':
      return [{ specifier, names: ['*'], typeOnly: node.exportKind === 'type', kind: 'import' }]
    case 'ImportExpression':
      // One that is computed loads a user's module: which, is known only at run time.
      if (nodeAt(node.source).type !== 'Literal') return []
      return [{ specifier, names: ['*'], typeOnly: false, kind: 'import' }]
    case 'TSImportType':
      return [{ specifier, names: ['*'], typeOnly: true, kind: 'import' }]
    case 'NewExpression': {
      const first = nodesAt(node.arguments)[0]
      if (nameOf(node.callee) !== 'URL' || first?.type !== 'Literal') return []
      return [{ specifier: nameOf(first), names: ['*'], typeOnly: false, kind: 'url' }]
    }
    default:
      return []
  }
}

function importedName(specifier: Node): string {
  if (specifier.type === 'ImportDefaultSpecifier') return 'default'
  return specifier.type === 'ImportNamespaceSpecifier' ? '*' : nameOf(specifier.imported)
}

function exportsOf(node: Node): Omit<Export, 'line'>[] {
  if (node.type === 'ExportDefaultDeclaration') return [{ name: 'default', typeOnly: false }]
  if (node.type !== 'ExportNamedDeclaration') return []
  const typeOnly = node.exportKind === 'type'
  const declaration = nodeAt(node.declaration)
  const declared =
    declaration.type === 'VariableDeclaration'
      ? nodesAt(declaration.declarations).flatMap((one) => boundNames(one.id))
      : boundNames(declaration.id)
  const listed = nodesAt(node.specifiers).map((one) => ({
    name: nameOf(one.exported),
    typeOnly: typeOnly || one.exportKind === 'type',
  }))
  return [...declared.map((name) => ({ name, typeOnly })), ...listed]
}

/** The names that a declaration binds: one, or those of a pattern. */
function boundNames(pattern: unknown): string[] {
  const node = nodeAt(pattern)
  if (node.type === 'ObjectPattern') return nodesAt(node.properties).flatMap((one) => boundNames(one.value))
  if (node.type === 'ArrayPattern') return nodesAt(node.elements).flatMap(boundNames)
  return node.type === 'Identifier' ? [nameOf(node)] : []
}

function usesOf(node: Node, { parent, field }: Place): string[] {
  switch (node.type) {
    case 'Identifier': {
      const isMemberName = (field === 'property' || field === 'key') && parent?.computed !== true
      const isType = parent?.type.startsWith('TS') === true && !/Expression$/.test(parent.type)
      return isMemberName || isType || parent?.type.startsWith('Import') === true ? [] : [nameOf(node)]
    }
    case 'MemberExpression': {
      const object = nodeAt(node.object)
      const property = nameOf(node.property)
      if (object.type !== 'Identifier' || property === '') return []
      return nameOf(object) === 'globalThis' ? [property] : [`${nameOf(object)}.${property}`]
    }
    case 'VariableDeclarator': {
      const source = nodeAt(node.init)
      if (source.type !== 'Identifier' || nodeAt(node.id).type !== 'ObjectPattern') return []
      return nodesAt(nodeAt(node.id).properties).map((one) => `${nameOf(source)}.${nameOf(one.key)}`)
    }
    case 'ImportDeclaration': {
      const specifier = nameOf(node.source).replace(/^node:/, '')
      return nodesAt(node.specifiers).map((one) => `${specifier}.${importedName(one)}`)
    }
    case 'NewExpression': {
      const given = nodesAt(node.arguments).length === 0 ? ' without a time' : ''
      const callee = nodeAt(node.callee)
      const name = callee.type === 'MemberExpression' ? nameOf(callee.property) : nameOf(callee)
      return [`new ${name}${name === 'Date' ? given : ''}`]
    }
    default:
      return []
  }
}

function isFunction(node: Node): boolean {
  return /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)
}

function spanOf(node: Node, { parent, field }: Place, lineOf: (offset: number) => number): FunctionSpan {
  const named = nodeAt(node.id ?? parent?.id ?? (field === 'value' ? parent?.key : undefined))
  const line = lineOf(node.start)
  return {
    name: nameOf(named) === '' ? '(unnamed)' : nameOf(named),
    line,
    lines: lineOf(node.end) - line + 1,
    argumentOf: field === 'arguments' ? rootName(parent?.callee) : undefined,
  }
}

/** `describe` of `describe.each(...)`. */
function rootName(callee: unknown): string {
  let node = nodeAt(callee)
  while (node.type === 'MemberExpression' || node.type === 'CallExpression') {
    node = nodeAt(node.object ?? node.callee)
  }
  return nameOf(node)
}
