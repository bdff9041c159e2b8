import type { FileOption } from './option.ts'

export const databaseOption: FileOption = {
  kind: 'file',
  variable: 'SEMANTICA_DATABASE',
  flag: '--database',
  fallback: () => undefined,
  fallbackText: 'required',
  meaning: 'path of the database file; made when missing, its folder must exist',
}
