/**
 * The memory in which a pool thread lays down how its attempts ended, for the supervisor to collect.
 *
 * A message for each outcome would wake the supervisor each time, which takes a core from a handler; one message for
 * many would keep the first of them waiting behind whatever the thread does next, for seconds if that is a synchronous
 * loop. Here the supervisor finds them whenever it looks: when a batch ends, every few milliseconds while one runs, and
 * after the death of the thread.
 *
 * A ring of words with one writer and one reader. Each record is contiguous and a multiple of four words: batch, index,
 * number of characters of the result plus one (zero: none), and the characters. What does not fit before the end
 * of the ring begins at its start, behind a mark. `written` and `taken` count words and wrap as 32-bit numbers do.
 */
const writtenWord = 0
const takenWord = 1
const headerWords = 4
/** 256 KB: some thousand outcomes without a result, or hundreds with a small one. A power of two. */
const ringWords = 65_536
const recordHeaderWords = 3
const alignmentWords = 4
const charactersPerWord = 2
/** In place of the length: what follows, up to the end of the ring, is not used. */
const skipMark = -1
/** A longer result goes by message, so that no single one can fill the ring. */
const maxResultCharacters = 8_192

const encoding = 'utf16le'

export function createOutbox(): SharedArrayBuffer {
  return new SharedArrayBuffer((headerWords + ringWords) * Int32Array.BYTES_PER_ELEMENT)
}

/** How one attempt ended well. */
export interface LaidDown {
  /** The number of its batch, as a 32-bit number. */
  readonly batch: number
  readonly index: number
  readonly result: string | undefined
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

  /** False: there is no room, or the result is too long; nothing was laid down. */
  add(batch: number, index: number, result: string | undefined): boolean {
    const characters = result?.length ?? 0
    if (characters > maxResultCharacters) return false
    const { header, words, bytes } = this.#ring
    const length = align(recordHeaderWords + Math.ceil(characters / charactersPerWord))
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
    words[place + 2] = result === undefined ? 0 : characters + 1
    if (result !== undefined && characters > 0) {
      bytes.write(result, (place + recordHeaderWords) * Int32Array.BYTES_PER_ELEMENT, encoding)
    }
    this.#written = (this.#written + skipped + length) | 0
    // Last, so that whoever sees the count sees the record as well.
    Atomics.store(header, writtenWord, this.#written)
    return true
  }
}

/** The supervisor's side. */
export class OutboxReader {
  readonly #ring: Ring
  #taken = 0

  constructor(memory: SharedArrayBuffer) {
    this.#ring = ringOf(memory)
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
    const characters = (words[place + 2] ?? 0) - 1
    const start = (place + recordHeaderWords) * Int32Array.BYTES_PER_ELEMENT
    const result = characters < 0 ? undefined : bytes.toString(encoding, start, start + 2 * characters)
    const outcome = { batch: words[place] ?? 0, index: words[place + 1] ?? 0, result }
    const length = align(recordHeaderWords + Math.ceil(Math.max(characters, 0) / charactersPerWord))
    this.#taken = (this.#taken + length) | 0
    Atomics.store(header, takenWord, this.#taken)
    return outcome
  }
}

function align(words: number): number {
  return Math.ceil(words / alignmentWords) * alignmentWords
}
