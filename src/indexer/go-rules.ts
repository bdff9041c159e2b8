import {
  type DefinitionKind,
  definesFunction,
  definesLeaf,
  enter,
  type LanguageRules,
  type Rule,
  within,
} from './definition-walk.ts'

/** `func (r *Receiver) Name()`: the container is the receiver's type. */
const methodDeclaration: Rule = (walk, scope) => {
  const { node } = walk
  const receiver = node.childForFieldName('receiver')
  const type =
    receiver === null ? undefined : /(\w+)\s*(?:\[[^\]]*\])?\s*\)$/.exec(walk.textOf(receiver))?.[1]
  const owner = type === undefined ? scope : within(scope, type, 'class')
  const name = walk.define('method', node.childForFieldName('name'), owner)
  return within(owner, name ?? '', 'function')
}

const typeSpec: Rule = (walk, scope) => {
  const { node } = walk
  const type = node.childForFieldName('type')?.type
  const kind: DefinitionKind =
    type === 'struct_type' ? 'struct' : type === 'interface_type' ? 'interface' : 'type'
  const name = walk.define(kind, node.childForFieldName('name'), scope)
  return name === undefined ? undefined : within(scope, name, 'class')
}

/** `const A, B = 1, 2` and `X, Y int`: every name of the specification. */
function definesEach(kind: DefinitionKind): Rule {
  return (walk, scope) => {
    if (scope.level === 'function') return undefined
    for (const name of walk.node.childrenForFieldName('name')) {
      if (name !== null && name.type !== ',') walk.define(kind, name, scope)
    }
    return undefined
  }
}

const ruleOfType: Readonly<Record<string, Rule>> = {
  source_file: enter,
  function_declaration: definesFunction,
  method_declaration: methodDeclaration,
  type_declaration: enter,
  type_spec: typeSpec,
  type_alias: definesLeaf('type'),
  struct_type: enter,
  field_declaration_list: enter,
  field_declaration: definesEach('field'),
  interface_type: enter,
  method_elem: definesLeaf('method'),
  const_declaration: enter,
  const_spec: definesEach('constant'),
  var_declaration: enter,
  var_spec_list: enter,
  var_spec: definesEach('variable'),
}

/** Bodies of functions have no rule: Go names nothing inside them but variables. */
export const goRules: LanguageRules = { rules: ruleOfType, nestedKeywords: [] }
