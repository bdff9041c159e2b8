import type { UnknownVariable } from '../config.ts'
import { printable } from './printable.ts'

export function tellUnknownVariables(unknown: readonly UnknownVariable[]): void {
  for (const { name, meant } of unknown) {
    const hint = meant === undefined ? '' : ` Did you mean ${meant}?`
    process.stderr.write(
      `semantica: warning: ${printable(name)} is set, but it is not a variable of this version.${hint}\n`,
    )
  }
}
