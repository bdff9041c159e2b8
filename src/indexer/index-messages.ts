import type { PlainError } from '../errors.ts'
import type { Definition } from './definition-walk.ts'
import type { Language } from './language.ts'
import type { FileStamp, SkipReason } from './source-file.ts'

/** Name under which the writer is registered with the engine. */
export const indexWriterName = 'index-writer'

/**
 * Which attempt speaks. A message of an older one than that which wrote the rows is ignored: the thread that sent it
 * may have been ended long ago.
 */
export interface Authorship {
  readonly run: number
  readonly generation: number
  readonly attempt: number
}

interface AboutFile {
  readonly path: string
  readonly author: Authorship
}

interface ReadFile extends AboutFile {
  readonly stamp: FileStamp
  /** When the file was read. A time stamp close to it may belong to two contents. */
  readonly checkedAtMs: number
}

export type IndexMessage = SingleMessage | MessageGroup

/** What the handlers of one thread have to say, in order. Each message is answered for itself. */
export interface MessageGroup {
  readonly kind: 'group'
  readonly messages: readonly SingleMessage[]
}

export interface GroupReply {
  readonly kind: 'group-replies'
  readonly replies: readonly (IndexReply | { readonly kind: 'refused'; readonly error: PlainError })[]
}

export type SingleMessage =
  /**
   * A run over `root` begins, whose state folder lies at `place` seen from there: jobs may be left over from now on.
   * Answered with the run's number.
   */
  | { readonly kind: 'begin-run'; readonly root: string; readonly place: string }
  /** What a file holds, in place of all that was known of it. */
  | (ReadFile &
      PackedDefinitions & {
        readonly kind: 'file-parsed'
        readonly hash: string
        readonly language: Language
        readonly symbols: number
      })
  | (ReadFile & { readonly kind: 'file-unchanged' })
  | (ReadFile & { readonly kind: 'file-skipped'; readonly reason: SkipReason })
  | (AboutFile & { readonly kind: 'file-vanished' })
  /** Asked by an attempt that is not the first: an earlier one may have committed the rows. */
  | { readonly kind: 'find-hash'; readonly path: string }
  | { readonly kind: 'drop-files'; readonly paths: readonly string[] }
  /** Every job of the run has settled. */
  | { readonly kind: 'end-run'; readonly summary: string }

export type IndexReply =
  | { readonly kind: 'run-begun'; readonly run: number }
  | { readonly kind: 'hash'; readonly hash: string | null }
  /** Committed; `applied` is false when a later attempt had written already. */
  | { readonly kind: 'committed'; readonly applied: boolean }

/**
 * The definitions of a file as they travel and are stored: by lines, packed as JSON in the thread that parses, so that
 * the one writer never makes them into objects again.
 */
export interface PackedDefinitions {
  /** An array of names. */
  readonly names: string
  /** `[kinds, lines, containers, texts]`: four arrays in the order of the names. Only a search looks into it. */
  readonly details: string
}

export function packDefinitions(definitions: readonly Definition[]): PackedDefinitions {
  const inOrder = isByLine(definitions) ? definitions : definitions.toSorted((a, b) => a.line - b.line)
  return {
    // A text may be cut in the middle of a character, and SQLite's JSON makes of halves what is not UTF-8.
    names: JSON.stringify(inOrder.map(({ name }) => name.toWellFormed())),
    details: JSON.stringify([
      inOrder.map(({ kind }) => kind),
      inOrder.map(({ line }) => line),
      inOrder.map(({ container }) => container.toWellFormed()),
      inOrder.map(({ text }) => text.toWellFormed()),
    ]),
  }
}

function isByLine(definitions: readonly Definition[]): boolean {
  let last = 0
  for (const { line } of definitions) {
    if (line < last) return false
    last = line
  }
  return true
}
