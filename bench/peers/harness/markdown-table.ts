/** A table; all columns but those of words are set to the right. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumeric = (column: number): boolean =>
    rows.every((row) => /^[–\d<≥≤−-]/.test(row[column] ?? '–') && !/^\d+\.\d+\.\d+/.test(row[column] ?? ''))
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |`
  return [
    line(head),
    `|${head.map((_, column) => (column > 0 && isNumeric(column) ? ' ---: ' : ' --- ')).join('|')}|`,
    ...rows.map(line),
  ].join('\n')
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
