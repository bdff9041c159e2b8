/**
 * Job numbers as text such as `17-240,250`. Order and overlap do not matter to the reader.
 */
export function encodeRanges(numbers: Iterable<number>): string {
  let text = ''
  let first = 0
  let last = -1
  const close = () => {
    if (last < first) return
    text += text === '' ? '' : ','
    text += first === last ? `${first}` : `${first}-${last}`
  }
  for (const number of numbers) {
    if (number === last + 1 && last >= first) {
      last = number
    } else {
      close()
      first = number
      last = number
    }
  }
  close()
  return text
}

export function decodeRanges(text: string): [first: number, last: number][] {
  if (text === '') return []
  return text.split(',').map((range) => {
    const [first, last] = range.split('-')
    return [Number(first), Number(last ?? first)]
  })
}

/** Neighbouring job numbers that are kept track of together. */
const numbersPerBlock = 256

/**
 * Where job numbers are, to the block: a number costs next to nothing to add and to remove, and the text of thousands is
 * a few characters, since they are mostly neighbours. Whoever reads it looks at a few hundred numbers too many.
 */
export class BlockRanges {
  readonly #counts = new Map<number, number>()

  add(number: number): void {
    const block = Math.floor(number / numbersPerBlock)
    this.#counts.set(block, (this.#counts.get(block) ?? 0) + 1)
  }

  /** A number that was added. */
  remove(number: number): void {
    const block = Math.floor(number / numbersPerBlock)
    const count = (this.#counts.get(block) ?? 0) - 1
    if (count > 0) this.#counts.set(block, count)
    else this.#counts.delete(block)
  }

  /** The ranges that hold every number, and others. */
  encode(): string {
    return encodeBlocks(this.#counts.keys())
  }

  /** Ranges that hold numbers of these, and none of `all` that is not one of these. */
  encodeAlone(all: BlockRanges): string {
    const alone = [...this.#counts].filter(([block, count]) => all.#counts.get(block) === count)
    return encodeBlocks(alone.map(([block]) => block))
  }
}

function encodeBlocks(blocks: Iterable<number>): string {
  return decodeRanges(encodeRanges(blocks))
    .map(([first, last]) => `${first * numbersPerBlock}-${(last + 1) * numbersPerBlock - 1}`)
    .join(',')
}
