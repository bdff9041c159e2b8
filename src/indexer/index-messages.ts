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
  /** What a file holds, in place of all that was known of it. `definitions` is JSON, so that it crosses threads fast. */
  | (ReadFile & {
      readonly kind: 'file-parsed'
      readonly hash: string
      readonly language: Language
      readonly symbols: number
      readonly definitions: string
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

/** A definition as it travels in `definitions`: an array, since names of fields would be most of the text. */
export type PackedDefinition = readonly [
  name: string,
  kind: string,
  line: number,
  container: string,
  text: string,
]

export function packDefinitions(definitions: readonly Definition[]): string {
  return JSON.stringify(
    definitions.map(
      ({ name, kind, line, container, text }): PackedDefinition => [name, kind, line, container, text],
    ),
  )
}

/** @throws SyntaxError when the text is not JSON */
export function unpackDefinitions(packed: string): readonly PackedDefinition[] {
  // Written by packDefinitions alone; SQLite refuses fields of a wrong type.
  return JSON.parse(packed) as readonly PackedDefinition[]
}
