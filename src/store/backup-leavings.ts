/**
 * What a backup leaves behind when its process is killed: its copies under names of their own, and, if that was between
 * the two moves, the files of the jobs in their place without a database. The next backup to the same name removes it.
 *
 * Who made it stands in the names, and in a note within the files: nothing is removed whose maker may still be at work,
 * and nothing that no backup has made.
 */
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type Clock, systemClock } from '../clock.ts'
import { toPlainError } from '../errors.ts'

/** In the files of the jobs until the database is there too. */
const noteName = 'unfinished-backup'
const makerPattern = /^([0-9a-f]{8})-(\d+)$/

/** This process, as it stands in names: numbers of processes mean something on one machine, or in one container, only. */
export function ownMaker(): string {
  return `${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-${process.pid}`
}

export function leaveNote(files: string): void {
  writeFileSync(join(files, noteName), ownMaker())
}

export function removeNote(files: string): void {
  rmSync(join(files, noteName), { force: true })
}

/** @param target real path of the final name */
export function removeLeavings(target: string, clock: Clock = systemClock): void {
  const folder = dirname(target)
  const begin = `${basename(target)}.partial-`
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(begin)) continue
    const [, maker = ''] = /^(.+-\d+)-[0-9a-f]{8}(?:-journal|-files)?$/.exec(name.slice(begin.length)) ?? []
    const path = join(folder, name)
    if (isGone(maker, path, clock)) rmSync(path, { recursive: true, force: true })
  }
  const files = `${target}-files`
  if (existsSync(target)) return
  const note = join(files, noteName)
  if (isGone(readNote(note), note, clock)) rmSync(files, { recursive: true, force: true })
}

function readNote(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Whether who made it is known to have ended. */
function isGone(maker: string, path: string, clock: Clock): boolean {
  const [, , pid = ''] = makerPattern.exec(maker) ?? []
  if (pid === '' || !ownMaker().startsWith(maker.slice(0, 9))) return false
  // In a container each process may get the number of the one before it. What is older than this process is not its own.
  if (Number(pid) === process.pid) {
    const changedMs = lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY
    return changedMs < clock.wallMs() - process.uptime() * 1_000
  }
  try {
    process.kill(Number(pid), 0)
    return false
  } catch (error) {
    return toPlainError(error).code === 'ESRCH'
  }
}
