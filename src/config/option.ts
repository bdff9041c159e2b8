/**
 * What an option of the engine is. The tables beside this file declare each one once, as data: reading, checking,
 * `semantica config` and the tables of README.md all come from there.
 */
import { isAbsolute, resolve } from 'node:path'
import { describe, engineError, unreachable } from '../errors.ts'

interface OptionFacts<Value> {
  readonly variable: string
  /** Where a command takes it as a flag. */
  readonly flag?: string
  /** What it does, for README.md and `semantica config --json`. Bounds are added to it. */
  readonly meaning: string
  readonly fallback: () => Value
  /** How README.md names the default, where it is not the same everywhere or says little as a number. */
  readonly fallbackText?: string
}

/** Without a default another option counts. */
export interface NumberOption extends OptionFacts<number | undefined> {
  readonly kind: 'number'
  readonly minimum: number
  readonly maximum: number
  /** It need not be whole. */
  readonly isFraction?: true
}

export interface ChoiceOption<Value extends string = string> extends OptionFacts<Value> {
  readonly kind: 'choice'
  readonly allowed: readonly Value[]
}

/** A file. What the configuration file says is relative to its own folder, everything else to the current one. */
export interface FileOption extends OptionFacts<string | undefined> {
  readonly kind: 'file'
}

/** Any text that is not empty. */
export interface TextOption extends OptionFacts<string> {
  readonly kind: 'text'
}

/** A list of names; in text separated by commas. */
export interface NamesOption extends OptionFacts<readonly string[]> {
  readonly kind: 'names'
}

/** True or false; in a variable `on` or `off` as well. */
export interface SwitchOption extends OptionFacts<boolean> {
  readonly kind: 'switch'
  /** Instead of true it may be an object, with the options of a group. */
  readonly holdsOptions?: true
}

export type Option = NumberOption | ChoiceOption | FileOption | TextOption | NamesOption | SwitchOption

/** The option that a setting of this type needs in its table. */
export type OptionFor<Value> = [Value] extends [number]
  ? NumberOption
  : [Value] extends [string]
    ? string extends Value
      ? TextOption
      : ChoiceOption<Value>
    : [Value] extends [boolean]
      ? SwitchOption
      : [Value] extends [readonly string[]]
        ? NamesOption
        : FileOption

/** Where a value comes from, in rising order of what wins. */
export type Origin =
  | { readonly kind: 'default' }
  /** Given to `Engine.start`. */
  | { readonly kind: 'code' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly variable: string }
  /** A flag of the command, or one of `overrides`. */
  | { readonly kind: 'flag'; readonly flag: string }

/** Where `origin` is, in one word: what a user must look at to change the value. */
export function placeOf(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
    case 'code':
      return origin.kind
    case 'file':
      return origin.path
    case 'environment':
      return origin.variable
    case 'flag':
      return origin.flag
    default:
      return unreachable(origin)
  }
}

/** What a text, as of a variable, stands for; the text itself when it stands for nothing. */
export function fromText(option: Option, text: string): unknown {
  switch (option.kind) {
    case 'number':
      return /^[+-]?\d+(?:\.\d+)?(?:e\d+)?$/i.test(text) ? Number(text) : text
    case 'switch':
      if (text === 'on' || text === 'true') return true
      return text === 'off' || text === 'false' ? false : text
    case 'names':
      return text.split(',').map((name) => name.trim())
    case 'choice':
    case 'file':
    case 'text':
      return text
    default:
      return unreachable(option)
  }
}

/**
 * The value as the engine uses it.
 *
 * @throws OPTION_INVALID naming the option, where the value comes from, what it is, and what is allowed
 */
export function checkValue(name: string, option: Option, value: unknown, origin: Origin): unknown {
  const found = option.kind === 'switch' && option.holdsOptions && isOptions(value) ? true : value
  if (!isAllowed(option, found)) throw notAllowed(name, option, value, origin)
  if (option.kind !== 'file' || origin.kind !== 'file' || typeof found !== 'string') return found
  return isAbsolute(found) ? found : resolve(origin.path, '..', found)
}

/** The text after `Allowed:`. */
export function allowedText(option: Option): string {
  switch (option.kind) {
    case 'number':
      return `${option.isFraction ? 'a number' : 'a whole number'} from ${option.minimum.toLocaleString('en')} to ${option.maximum.toLocaleString('en')}`
    case 'choice':
      return option.allowed.join(', ')
    case 'file':
      return 'the path of a file'
    case 'text':
      return 'at least 1 character'
    case 'names':
      return 'names without spaces or "="; in a variable separated by commas'
    case 'switch':
      return option.holdsOptions
        ? 'true, false, or an object of its options; in a variable true, false, on, off'
        : 'true, false; in a variable on, off too'
    default:
      return unreachable(option)
  }
}

/** What an option does, without the links that README.md has: for terminals and programs. */
export function plainMeaning({ meaning }: Option): string {
  return meaning.replaceAll(/, see \[below\]\(#[^)]*\)/g, '').replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
}

/** SQLite's names for what is not a file, or not by its path: nothing durable could be kept there. No path has a NUL. */
const notAFile = /^(?::memory:|file:)|\0/

/** As a variable of the environment can be named. */
const isName = /^[^\s=,]+$/

function isAllowed(option: Option, value: unknown): boolean {
  switch (option.kind) {
    case 'number':
      return (
        typeof value === 'number' &&
        (option.isFraction === true || Number.isInteger(value)) &&
        value >= option.minimum &&
        value <= option.maximum
      )
    case 'choice':
      return typeof value === 'string' && option.allowed.includes(value)
    case 'file':
      return typeof value === 'string' && value !== '' && !notAFile.test(value)
    case 'text':
      return typeof value === 'string' && value !== ''
    case 'names':
      return Array.isArray(value) && value.every((name) => typeof name === 'string' && isName.test(name))
    case 'switch':
      return typeof value === 'boolean'
    default:
      return unreachable(option)
  }
}

/** Lists and maps would pass as an object without options. */
export function isOptions(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(Symbol.iterator in value)
}

function notAllowed(name: string, option: Option, value: unknown, origin: Origin): Error {
  return engineError('OPTION_INVALID', {
    found: `${nameAt(name, origin)} is ${describe(value)}`,
    allowed: allowedText(option),
    action: 'Correct it.',
    details: { option: name, source: placeOf(origin) },
  })
}

/** What the user wrote to give it a value. */
function nameAt(name: string, origin: Origin): string {
  switch (origin.kind) {
    case 'default':
    case 'code':
      return name
    case 'file':
      return `${name} in ${origin.path}`
    case 'environment':
    case 'flag':
      return placeOf(origin)
    default:
      return unreachable(origin)
  }
}
