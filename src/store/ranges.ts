/**
 * Job numbers as text such as `17-240,250`. Claims are mostly runs of neighbours in the order in which they were
 * made, so thousands of them fit in a few characters; order and overlap do not matter to the reader.
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
