/**
 * Keeps secrets out of the log: what stands under a name that says so, the values of an `env`, what looks like a
 * credential within a text, and values that the caller knows to be secret.
 */
import { concealBrackets } from './bracketed-secrets.ts'

const concealed = '[REDACTED]'

const secretName =
  /token|secret|passw|passphrase|authorization|api[-_]?key|private[-_]?key|access[-_]?key|credential|cookie|^(?:pwd|pass|auth)$/i
const environmentName = /^env$|^environment$/i

/** Shorter values are words of everyday texts, such as `1` or `on`. */
const minimumSecretCharacters = 4

/** The names, within a text, of what is secret. */
const names =
  'token|secret|passw(?:or)?d|passphrase|(?:api|access|private)[-_]?key|credential|session[-_]?id|amz-signature'
/** What follows such a name where the text speaks about the secret, or about its type, and does not tell it. */
const plainWords =
  'and|or|is|are|was|has|must|should|cannot|to|for|from|in|with|not|no|none|null|undefined|true|false|' +
  'string|number|boolean|unknown|expected|required|missing|invalid|expired|empty'
const noPlainWord = `(?!["']?(?:${plainWords})(?:[\\s.,:;|"')\\]}]|$))`
/** What stands between a name and its value; a `=>` is no `=`. In an address it may be escaped. */
const assigns = '(?:=>|:=|:(?!=)|={1,3}(?![=>])|%3D)'
/** In quotes, which may be escaped or, in a text that was cut, not be closed; or else up to what ends a word. */
const value = [
  /\\"(?!\\?")[^"\n]*"?/,
  /"(?!")[^"\\\n]*(?:\\.[^"\\\n]*)*"?/,
  /'(?!')[^'\\\n]*(?:\\.[^'\\\n]*)*'?/,
  /[^\s,;&"'(){}[\]]+/,
]
  .map(({ source }) => source)
  .join('|')
/** Of a parser: "Unexpected token: }"; and numbers of tokens. */
const noSecret =
  String.raw`(?!(?<=expected token: )(?:[^\w\s]{1,5}(?:\s|$)|(?:punc|name|keyword|operator|string|num|eof) ))` +
  String.raw`(?!(?<=tokens["']?\s{0,4}[:=]\s{0,4})\d)`

/** Between `Bearer` and what it bears; in an address it may be escaped. */
const gap = String.raw`(?:\s|%20|\+){1,4}`

/** Of what is no plain object, such as a map, Node's `inspect` says so before its brackets. */
const kindOfObject = String.raw`(?:\w{1,40} (?=\{ )|\w{1,40}\(\d{1,9}\) |\[[\w :]{1,60}\] )?`
const bracketed = RegExp(
  String.raw`((?:\b[\w-]{0,40}(?:${names}|authorization|cookie)[\w-]{0,10}|(?<![a-z0-9])(?:pwd|pass|auth)|(?<![\w-])env(?:ironment)?)` +
    String.raw`(?:\\{0,9}["'])?\s{0,4}${assigns}\s{0,4})${noSecret}${noPlainWord}${kindOfObject}(?=[{[])`,
  'gi',
)

/**
 * A text may come from anywhere: what is repeated is bounded, or cannot fail after it. The order matters: what holds
 * others comes first.
 */
const secretTexts: readonly (readonly [what: RegExp, instead: string])[] = [
  [
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----))*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?/g,
    concealed,
  ],
  [RegExp(String.raw`\b(Bearer${gap})[\w+/=.~-]{8,}`, 'gi'), `$1${concealed}`],
  [/\b(Authorization["']?\s{0,4}[:=]\s{0,4}["']?)Digest\s[^\r\n]+/gi, `$1${concealed}`],
  [
    RegExp(
      String.raw`\b([\w-]{0,40}Authorization["']?\s{0,4}(?:[:=]|%3[AD])(?:\s|%20){0,4}["']?(?:[a-z]{1,20}${gap})?)(?!Bearer${gap}\[)[\w+/=.~-]{4,}`,
      'gi',
    ),
    `$1${concealed}`,
  ],
  // A key is told by its digits: what follows may be what the text says of it.
  [
    /\b((?:x-)?api[-_ ]?key(?:\s{1,4}|\s{0,4}:\s{0,4}))(?=[^\s\d]{0,200}\d)(?=[^\sa-z]{0,200}[a-z])[\w+/=.-]{6,}/gi,
    `$1${concealed}`,
  ],
  [/\b(Cookie["']?\s{0,4}[:=]\s{0,4}["']?)[\w.-]{1,100}=[^\r\n"']*/gi, `$1${concealed}`],
  [
    RegExp(
      String.raw`\b([\w-]{0,40}(?:${names})[\w-]{0,10}(?:\\?["'])?\s{0,4}${assigns}\s{0,4})${noSecret}${noPlainWord}(?:${value})`,
      'gi',
    ),
    `$1${concealed}`,
  ],
  // PWD is the name of the folder in which a program runs, too.
  [
    RegExp(
      String.raw`(?<![a-z0-9])(pwd["']?\s{0,4}[:=]\s{0,4})(?!["']?(?:[/~.]|[a-z]:[\\/]))${noPlainWord}(?:${value})`,
      'gi',
    ),
    `$1${concealed}`,
  ],
  // Of a colon what follows must be in quotes: else it may be a count, or a state.
  [
    RegExp(
      String.raw`(?<![a-z0-9])((?:pass|auth)(?:\\?["'])?\s{0,4}(?:${assigns}\s{0,4}(?=\\?["'])|=>?\s{0,4}(?![=>])))${noPlainWord}(?:${value})`,
      'gi',
    ),
    `$1${concealed}`,
  ],
  [
    RegExp(String.raw`(\s--[\w-]{0,40}(?:${names})\s{1,4})(?!-)${noPlainWord}(?:${value})`, 'gi'),
    `$1${concealed}`,
  ],
  // Of curl, wget and their like.
  [
    /(\s(?:-u|--user)[\s=]\s{0,4})(?:"[^":]{1,100}:[^"]+"?|'[^':]{1,100}:[^']+'?|[^\s:"']{1,100}:[^\s"']+)/g,
    `$1${concealed}`,
  ],
  [/([?&](?:key|sig|signature|code|auth|pass)=)[^\s&#"'<>]+/gi, `$1${concealed}`],
  // Other keys are no secrets: those of a table, of a subject.
  [
    /(\b(?:[Kk]ey|KEY)["']?\s{0,4}[:=]\s{0,4}["']?)(?=\w{0,200}[a-z])(?=\w{0,200}[A-Z])(?=\w{0,200}\d)[\w+/=-]{20,}/g,
    `$1${concealed}`,
  ],
  // A user without a password is a token, in what is fetched.
  [/(\bhttps?:\/\/)[^\s:@/?#"'<>]{1,500}(?=@)/gi, `$1${concealed}`],
  // A password may hold an @, or a slash where no port can be meant.
  [
    /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s:@/]{0,200}:)(?!\d{1,5}[/?#])(?:[^\s/?#"'<>]{1,500}(?=@)|[^\s@"'<>]{1,500}(?=@))/gi,
    `$1${concealed}`,
  ],
  [
    /\b(?:gh[pousr]_\w{20,255}|github_pat_\w{20,255}|glpat-[\w-]{20,255}|xox[abprs]-[\w-]{10,255}|sk-[\w-]{20,255}|[rs]k_(?:live|test)_\w{10,255}|npm_\w{30,255}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,255}|eyJ[\w-]{8,2000}\.[\w-]{2,4000}\.[\w-]{0,2000})/g,
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

/** A text without secrets. */
export function redactText(text: string, secrets: readonly string[]): string {
  let redacted = text
  for (const secret of secrets) redacted = redacted.replaceAll(secret, concealed)
  redacted = concealBrackets(redacted, bracketed, concealed)
  for (const [what, instead] of secretTexts) redacted = redacted.replace(what, instead)
  return redacted
}

/** What to conceal of values that are secret, the longest first, also in JSON; lines of a long one also by themselves. */
export function secretsIn(values: Iterable<string>): string[] {
  const secrets = new Set<string>()
  for (const value of values) {
    for (const part of value.includes('\n') ? [value, ...value.split(/\r?\n/)] : [value])
      if (part.trim().length >= minimumSecretCharacters) secrets.add(part).add(inJson(part))
  }
  return [...secrets].sort((one, other) => other.length - one.length)
}

function inJson(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}
