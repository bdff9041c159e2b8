import {
  defines,
  definesFunction,
  definesLeaf,
  enter,
  enterStatement,
  type LanguageRules,
  type Rule,
} from './definition-walk.ts'

/** `NAME = …` at the top of a module or class. */
const assignment: Rule = (walk, scope) => {
  const left = walk.node.childForFieldName('left')
  if (scope.level === 'function' || left?.type !== 'identifier') return undefined
  const isConstant = /^[A-Z][A-Z0-9_]*$/.test(walk.textOf(left))
  const ofTop = isConstant ? 'constant' : 'variable'
  walk.define(scope.level === 'class' ? 'field' : ofTop, left, scope)
  return undefined
}

const ruleOfType: Readonly<Record<string, Rule>> = {
  module: enter,
  block: enterStatement,
  decorated_definition: enter,
  function_definition: definesFunction,
  class_definition: defines('class', 'class'),
  if_statement: enterStatement,
  elif_clause: enter,
  else_clause: enter,
  try_statement: enterStatement,
  except_clause: enter,
  except_group_clause: enter,
  finally_clause: enter,
  with_statement: enterStatement,
  for_statement: enterStatement,
  while_statement: enterStatement,
  match_statement: enterStatement,
  case_clause: enter,
  // Assignments are expressions: in functions, where they do not count, the statement is not even entered.
  expression_statement: (_walk, scope) => (scope.level === 'function' ? undefined : scope),
  assignment,
  type_alias_statement: definesLeaf('type', 'left'),
}

export const pythonRules: LanguageRules = { rules: ruleOfType, nestedKeywords: ['def', 'class'] }
