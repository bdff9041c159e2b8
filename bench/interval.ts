export interface Interval {
  readonly low: number
  readonly high: number
}

/** With fewer, even the smallest and the largest do not enclose the median with this confidence. */
const fewestNumbers = 6
const largestTail = 0.025

/**
 * A 95 % confidence interval for the median, whatever the distribution: from the k-th smallest to the k-th largest,
 * k being the greatest for which a binomial variable of n fair trials is below k with a probability of at most 2.5 %.
 * Source: E. L. Lehmann, Nonparametrics: Statistical Methods Based on Ranks (1975), pages 182 and 183.
 */
export function medianInterval(numbers: readonly number[]): Interval | undefined {
  const count = numbers.length
  if (count < fewestNumbers) return undefined
  const sorted = numbers.toSorted((one, other) => one - other)
  // The probability of exactly `below` of them, and of at most so many.
  let exactly = 0.5 ** count
  let atMost = exactly
  let below = 0
  for (; atMost <= largestTail; below++) {
    exactly *= (count - below) / (below + 1)
    atMost += exactly
  }
  return { low: sorted[below - 1] ?? Number.NaN, high: sorted[count - below] ?? Number.NaN }
}
