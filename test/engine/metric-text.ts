/** Reads Prometheus' text format: each value by its name and labels as they are written. */
export function readMetricText(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, series = '', value = ''] = /^(.+) (\S+)$/.exec(line) ?? []
    values.set(series, Number(value))
  }
  return values
}
