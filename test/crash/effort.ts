/** Whether the campaigns are to run at full length, and where chance begins. */
export const isFull = process.env.SEMANTICA_TEST_FULL !== undefined

export const isSeedGiven = process.env.SEMANTICA_TEST_SEED !== undefined

/** The seed of everything random, so that a run can be had again: `SEMANTICA_TEST_SEED`. */
export const seed = Number(process.env.SEMANTICA_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** A small generator of numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomFrom(start: number): () => number {
  let state = start >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
