/**
 * The memory in which a pool thread lays down how its attempts ended, for the supervisor to collect.
 *
 * A message for each outcome would wake the supervisor each time, which takes a core from a handler; one message for
 * many would keep the first of them waiting behind whatever the thread does next, for seconds if that is a synchronous
 * loop. Here the supervisor finds them whenever it looks: when a batch ends, every few milliseconds while one runs, and
 * after the death of the thread.
 *
 * A ring of words with one writer and one reader. Each record is contiguous and a multiple of four words: batch, index,
 * kind, number of characters, and the characters. What does not fit before the end of the ring begins at its start,
 * behind a mark. `written` and `taken` count words and wrap as 32-bit numbers do.
 */

import { endToText, textToEnd, unreadable } from './end-text.ts'
import type { AttemptEnd, Outcomes } from './messages.ts'

const writtenWord = 0
const takenWord = 1
const headerWords = 4
/** 256 KB: more outcomes without a text than a thread can have jobs, or some thousand with a short one. A power of two. */
const ringWords = 65_536
const recordHeaderWords = 4
const alignmentWords = 4
const charactersPerWord = 2
/** In place of the kind: what follows, up to the end of the ring, is not used. */
const skipMark = -1
/** A longer text goes by message, so that no single one can fill the ring. */
const maxTextCharacters = 8_192

/** The order is the number in shared memory; never reorder. */
const recordKinds = ['success', 'success-with-result', 'other-end'] as const

const encoding = 'utf16le'

export function createOutbox(): SharedArrayBuffer {
  return new SharedArrayBuffer((headerWords + ringWords) * Int32Array.BYTES_PER_ELEMENT)
}

/** How one attempt ended. */
export interface LaidDown {
  /** The number of its batch, as a 32-bit number. */
  readonly batch: number
  readonly index: number
  readonly kind: (typeof recordKinds)[number]
  /** JSON: the result of a success, the AttemptEnd of another end. */
  readonly text: string
}

interface Ring {
  readonly header: Int32Array
  readonly words: Int32Array
  readonly bytes: Buffer
}

function ringOf(memory: SharedArrayBuffer): Ring {
  const ringOffset = headerWords * Int32Array.BYTES_PER_ELEMENT
  return {
    header: new Int32Array(memory, 0, headerWords),
    words: new Int32Array(memory, ringOffset),
    bytes: Buffer.from(memory, ringOffset),
  }
}

/** The thread's side. */
export class OutboxWriter {
  readonly #ring: Ring
  #written: number

  constructor(memory: SharedArrayBuffer) {
    this.#ring = ringOf(memory)
    this.#written = Atomics.load(this.#ring.header, writtenWord)
  }

  /** A success. False: there is no room, or the result is too long; nothing was laid down. */
  addSuccess(batch: number, index: number, result: string | undefined): boolean {
    return this.#add(batch, index, result === undefined ? 'success' : 'success-with-result', result ?? '')
  }

  /** Another end. False also when it cannot be told as JSON; a message carries it all the same. */
  addEnd(batch: number, end: AttemptEnd): boolean {
    const text = endToText(end)
    return text !== undefined && this.#add(batch, end.index, 'other-end', text)
  }

  #add(batch: number, index: number, kind: LaidDown['kind'], text: string): boolean {
    if (text.length > maxTextCharacters) return false
    const { header, words, bytes } = this.#ring
    const length = recordWords(text.length)
    const free = ringWords - ((this.#written - Atomics.load(header, takenWord)) | 0)
    let place = this.#written & (ringWords - 1)
    const untilEnd = ringWords - place
    const skipped = untilEnd < length ? untilEnd : 0
    if (skipped + length > free) return false
    if (skipped > 0) {
      words[place + 2] = skipMark
      place = 0
    }
    words[place] = batch
    words[place + 1] = index
    words[place + 2] = recordKinds.indexOf(kind)
    words[place + 3] = text.length
    if (text !== '') bytes.write(text, (place + recordHeaderWords) * Int32Array.BYTES_PER_ELEMENT, encoding)
    this.#written = (this.#written + skipped + length) | 0
    // Last, so that whoever sees the count sees the record as well.
    Atomics.store(header, writtenWord, this.#written)
    return true
  }
}

/** The supervisor's side. */
export class OutboxReader {
  readonly #ring: Ring
  #taken: number
  /** Whether anything was found that the thread cannot have meant: it is not to be believed any more. */
  foundJunk = false

  constructor(memory: SharedArrayBuffer) {
    this.#ring = ringOf(memory)
    this.#taken = Atomics.load(this.#ring.header, takenWord)
  }

  /** The next outcome that was laid down, in their order; undefined when all are taken. */
  take(): LaidDown | undefined {
    const { header, words, bytes } = this.#ring
    if (Atomics.load(header, writtenWord) === this.#taken) return undefined
    let place = this.#taken & (ringWords - 1)
    if (words[place + 2] === skipMark) {
      this.#taken = (this.#taken + ringWords - place) | 0
      place = 0
    }
    const batch = words[place] ?? 0
    const index = words[place + 1] ?? 0
    const kind = recordKinds[words[place + 2] ?? 0] ?? 'success'
    const characters = words[place + 3] ?? 0
    const start = (place + recordHeaderWords) * Int32Array.BYTES_PER_ELEMENT
    const text = characters === 0 ? '' : bytes.toString(encoding, start, start + 2 * characters)
    this.#taken = (this.#taken + recordWords(characters)) | 0
    Atomics.store(header, takenWord, this.#taken)
    return { batch, index, kind, text }
  }

  /** All that is there, by batch. */
  collect(): Outcomes[] {
    const collected: GrowingOutcomes[] = []
    for (let one = this.take(); one !== undefined; one = this.take()) {
      let outcomes = collected.at(-1)
      if (outcomes?.batch !== one.batch) {
        outcomes = { batch: one.batch, succeeded: [], results: undefined, others: [] }
        collected.push(outcomes)
      }
      if (one.kind === 'other-end') outcomes.others.push(this.#endOf(one))
      else addSuccess(outcomes, one)
    }
    return collected
  }

  /** The record itself says whose end it is. */
  #endOf({ text, index }: LaidDown): AttemptEnd {
    const end = textToEnd(text, index)
    this.foundJunk ||= end === undefined
    return end ?? unreadable(index, text)
  }
}

interface GrowingOutcomes extends Outcomes {
  readonly succeeded: number[]
  results: (string | undefined)[] | undefined
  readonly others: AttemptEnd[]
}

function addSuccess(outcomes: GrowingOutcomes, { index, kind, text }: LaidDown): void {
  if (kind === 'success-with-result') {
    outcomes.results ??= new Array<string | undefined>(outcomes.succeeded.length).fill(undefined)
  }
  outcomes.results?.push(kind === 'success' ? undefined : text)
  outcomes.succeeded.push(index)
}

function recordWords(characters: number): number {
  const words = recordHeaderWords + Math.ceil(characters / charactersPerWord)
  return Math.ceil(words / alignmentWords) * alignmentWords
}
