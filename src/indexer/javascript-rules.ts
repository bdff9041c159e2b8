import type { Node } from '@vscode/tree-sitter-wasm'
import {
  type DefinitionKind,
  type DefinitionWalk,
  defines,
  definesFunction,
  definesLeaf,
  enter,
  enterStatement,
  type LanguageRules,
  type Rule,
  type Scope,
  within,
} from './definition-walk.ts'

const functionTypes: ReadonlySet<string> = new Set([
  'arrow_function',
  'function_expression',
  'generator_function',
])

/** `const a = …`: a function or class by what is assigned; any other value counts only outside of functions. */
const variableDeclarator: Rule = (walk, scope) => {
  const { node } = walk
  const nameNode = node.childForFieldName('name')
  const value = node.childForFieldName('value')
  if (nameNode?.type !== 'identifier') return scope.level === 'top' ? scope : undefined
  if (value !== null && functionTypes.has(value.type)) return defineWith(walk, 'function', nameNode, scope)
  if (value?.type === 'class') return defineWith(walk, 'class', nameNode, scope)
  if (scope.level === 'function') return undefined
  const keyword = node.parent?.firstChild?.type
  const name = walk.define(keyword === 'const' ? 'constant' : 'variable', nameNode, scope)
  return value?.type === 'object' && name !== undefined ? within(scope, name, 'class') : undefined
}

/** `exports.a = function …`, `A.prototype.b = function …`, `a.b = class …`; other assignments define nothing. */
const assignment: Rule = (walk, scope) => {
  const { node } = walk
  const left = node.childForFieldName('left')
  const right = node.childForFieldName('right')
  if (left === null || right === null) return undefined
  const isFunction = functionTypes.has(right.type)
  if (!isFunction && right.type !== 'class') return right.type === 'object' ? scope : undefined
  const owner = left.childForFieldName('object')
  const property = left.childForFieldName('property')
  if (left.type !== 'member_expression' || owner === null || property === null) return scope
  const ownerName = walk.textOf(owner).replace(/\.prototype$/, '')
  const isExport = ownerName === 'exports' || ownerName === 'module.exports' || ownerName === 'module'
  const isPath = /^[\w$.]{1,100}$/.test(ownerName)
  const outer = isExport || !isPath ? scope : within(scope, ownerName, 'class')
  const kind: DefinitionKind = isFunction ? (outer === scope ? 'function' : 'method') : 'class'
  return defineWith(walk, kind, property, outer)
}

function defineWith(walk: DefinitionWalk, kind: DefinitionKind, nameNode: Node, scope: Scope): Scope {
  const name = walk.define(kind, nameNode, scope)
  return within(scope, name ?? '', kind === 'class' ? 'class' : 'function')
}

/** `a: function …` and `a: { … }` in an object that has a name. */
const pair: Rule = (walk, scope) => {
  const { node } = walk
  const key = node.childForFieldName('key')
  const value = node.childForFieldName('value')
  if (key === null || value === null) return undefined
  if (functionTypes.has(value.type)) return defineWith(walk, 'method', key, scope)
  return value.type === 'object' ? within(scope, walk.textOf(key).slice(0, 100), 'class') : undefined
}

/** Class fields: a method when a function is assigned. */
function field(nameField: string): Rule {
  return (walk, scope) => {
    const { node } = walk
    const nameNode = node.childForFieldName(nameField)
    const value = node.childForFieldName('value')
    if (nameNode === null) return undefined
    if (value !== null && functionTypes.has(value.type)) return defineWith(walk, 'method', nameNode, scope)
    walk.define('field', nameNode, scope)
    return undefined
  }
}

/** Members of an enum, which are bare names. */
const enumMember: Rule = (walk, scope) => {
  if (scope.level === 'class') walk.define('member', walk.node, scope)
  return undefined
}

/** Only functions called or passed in a statement of its own are entered: `describe('…', () => { … })`, `(function () {…})()`. */
const insideExpression: Rule = (_walk, scope) => (scope.level === 'class' ? undefined : scope)
/** Most statements are plain calls. */
const enterPromising: Rule = (walk, scope) => (walk.holdsKeyword() ? scope : undefined)
const anonymousFunction: Rule = (_walk, scope) =>
  scope.level === 'class' ? scope : { level: 'function', container: scope.container }

const ruleOfType: Readonly<Record<string, Rule>> = {
  program: enter,
  export_statement: enter,
  statement_block: enterStatement,
  if_statement: enterStatement,
  else_clause: enter,
  try_statement: enterStatement,
  catch_clause: enter,
  finally_clause: enter,
  for_statement: enterStatement,
  for_in_statement: enterStatement,
  while_statement: enterStatement,
  do_statement: enterStatement,
  labeled_statement: enterStatement,
  switch_statement: enterStatement,
  switch_body: enter,
  switch_case: enter,
  switch_default: enter,
  return_statement: enterPromising,
  expression_statement: enterPromising,
  parenthesized_expression: insideExpression,
  call_expression: insideExpression,
  arguments: insideExpression,
  arrow_function: anonymousFunction,
  function_expression: anonymousFunction,
  generator_function: anonymousFunction,
  lexical_declaration: enterStatement,
  variable_declaration: enterStatement,
  variable_declarator: variableDeclarator,
  assignment_expression: assignment,
  object: enter,
  pair,
  function_declaration: definesFunction,
  generator_function_declaration: definesFunction,
  class_declaration: defines('class', 'class'),
  class: (_walk, scope) => ({ level: 'class', container: scope.container }),
  class_body: enter,
  method_definition: (walk, scope) => {
    const name = walk.define('method', walk.node.childForFieldName('name'), scope)
    return within(scope, name ?? '', 'function')
  },
  field_definition: field('property'),
}

const typescriptRuleOfType: Readonly<Record<string, Rule>> = {
  ...ruleOfType,
  ambient_declaration: enter,
  abstract_class_declaration: defines('class', 'class'),
  function_signature: definesLeaf('function'),
  method_signature: definesLeaf('method'),
  abstract_method_signature: definesLeaf('method'),
  public_field_definition: field('name'),
  property_signature: definesLeaf('field'),
  interface_declaration: defines('interface', 'class'),
  interface_body: enter,
  object_type: enter,
  type_alias_declaration: defines('type', 'class'),
  enum_declaration: defines('enum', 'class'),
  enum_body: enter,
  enum_assignment: definesLeaf('member'),
  property_identifier: enumMember,
  module: defines('namespace', 'top'),
  internal_module: defines('namespace', 'top'),
}

const nestedKeywords = ['=>', 'function', 'class']

export const javascriptRules: LanguageRules = { rules: ruleOfType, nestedKeywords }
export const typescriptRules: LanguageRules = { rules: typescriptRuleOfType, nestedKeywords }
