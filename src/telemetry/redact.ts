/**
 * Keeps secrets out of the log: what stands under a name that says so, the values of an `env`, what looks like a
 * credential within a text, and values that the caller knows to be secret.
 */

const concealed = '[REDACTED]'

const secretName =
  /token|secret|passw|passphrase|authorization|api[-_]?key|private[-_]?key|access[-_]?key|credential|cookie/i
const environmentName = /^env$|^environment$/i

/** Shorter values are words of everyday texts, such as `1` or `on`. */
const minimumSecretCharacters = 4

/** Bounded repetitions only: a text may come from anywhere. */
const secretTexts: readonly (readonly [what: RegExp, instead: string])[] = [
  [/\b(Bearer\s{1,4})[\w+/=.~-]{8,2000}/gi, `$1${concealed}`],
  [
    /\b(Authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:[A-Za-z]{1,20}\s{1,4})?)[\w+/=.~-]{4,2000}/gi,
    `$1${concealed}`,
  ],
  // Not "Unexpected token: }", which is no secret.
  [
    /(?<!unexpected |expected |invalid |missing )(\b[\w-]{0,40}(?:token|secret|passw(?:or)?d|passphrase|api[-_]?key|access[-_]?key)[\w-]{0,10}["']?\s{0,4}[:=]\s{0,4})(?:"[^"\n]{1,2000}"|'[^'\n]{1,2000}'|[^\s,;&"'(){}[\]]{1,2000})/gi,
    `$1${concealed}`,
  ],
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s:@/]{0,200}:)[^\s@/]{1,500}(?=@)/gi, `$1${concealed}`],
  [
    /\b(?:gh[pousr]_\w{20,255}|github_pat_\w{20,255}|glpat-[\w-]{20,255}|xox[abprs]-[\w-]{10,255}|sk-[\w-]{20,255}|npm_\w{30,255}|AKIA[0-9A-Z]{16}|eyJ[\w-]{8,2000}\.[\w-]{2,4000}\.[\w-]{0,2000})/g,
    concealed,
  ],
]

const deepest = 8

/**
 * A copy of what goes into a line, without secrets.
 *
 * @param secrets values that are concealed wherever they stand; see `secretsIn`
 */
export function redactFields(
  fields: Readonly<Record<string, unknown>>,
  secrets: readonly string[],
  depth = 0,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, one]) => [name, redactNamed(name, one, secrets, depth)] as const),
  )
}

function redact(value: unknown, secrets: readonly string[], depth: number): unknown {
  if (typeof value === 'string') return redactText(value, secrets)
  if (typeof value !== 'object' || value === null) return value
  if (depth === deepest) return '[too deep]'
  if (Array.isArray(value)) return value.map((one) => redact(one, secrets, depth + 1))
  return redactFields({ ...value }, secrets, depth)
}

function redactNamed(name: string, value: unknown, secrets: readonly string[], depth: number): unknown {
  const isEnvironment = environmentName.test(name)
  if (isEnvironment && typeof value === 'object' && value !== null && !Array.isArray(value))
    return Object.fromEntries(Object.keys(value).map((variable) => [variable, concealed]))
  // A number of tokens is no secret.
  const isText = typeof value === 'string' || (typeof value === 'object' && value !== null)
  if (isText && (isEnvironment || secretName.test(name))) return concealed
  return redact(value, secrets, depth + 1)
}

function redactText(text: string, secrets: readonly string[]): string {
  let redacted = text
  for (const secret of secrets) redacted = redacted.replaceAll(secret, concealed)
  for (const [what, instead] of secretTexts) redacted = redacted.replace(what, instead)
  return redacted
}

/** What to conceal of values that are secret, the longest first; lines of a long one also by themselves. */
export function secretsIn(values: Iterable<string>): string[] {
  const secrets = new Set<string>()
  for (const value of values) {
    for (const part of value.includes('\n') ? [value, ...value.split(/\r?\n/)] : [value])
      if (part.trim().length >= minimumSecretCharacters) secrets.add(part)
  }
  return [...secrets].sort((one, other) => other.length - one.length)
}
