import { isUtf8 } from 'node:buffer'
import { hash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'

/** Why a file is left out. The first two are seen without opening it. */
const skipReasons = ['no-grammar', 'too-large', 'name-not-utf8', 'binary', 'not-utf8'] as const
export type SkipReason = (typeof skipReasons)[number]

export type SourceFile =
  | { readonly kind: 'source'; readonly text: string; readonly hash: string; readonly stamp: FileStamp }
  | { readonly kind: 'skipped'; readonly reason: SkipReason; readonly stamp: FileStamp }
  | { readonly kind: 'vanished' }

/** What tells a file from its later self without reading it; taken before it was read. */
export interface FileStamp {
  readonly size: number
  readonly mtimeMs: number
}

/** A NUL among the first bytes marks a binary, as git has it. */
const binaryProbeBytes = 8_192
const byteOrderMark = '\uFEFF'

/**
 * Reads one file as source text. Synchronous: what is parsed next was mostly found in the cache, and a read through
 * the thread pool costs more than the read.
 *
 * @throws what the file system says when the file is there but cannot be read
 */
export function readSource(path: string, maxFileBytes: number): SourceFile {
  let descriptor: number
  try {
    // Without these flags a link would be followed, and a pipe would hang until somebody wrote into it.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (isGone(error)) return { kind: 'vanished' }
    throw error
  }
  try {
    const stats = fstatSync(descriptor)
    if (!stats.isFile()) return { kind: 'vanished' }
    const stamp: FileStamp = { size: stats.size, mtimeMs: stats.mtimeMs }
    if (stats.size > maxFileBytes) return { kind: 'skipped', reason: 'too-large', stamp }
    return classify(readWhole(descriptor, stats.size), stamp)
  } finally {
    closeSync(descriptor)
  }
}

function classify(bytes: Buffer, stamp: FileStamp): SourceFile {
  if (bytes.subarray(0, binaryProbeBytes).includes(0)) return { kind: 'skipped', reason: 'binary', stamp }
  if (!isUtf8(bytes)) return { kind: 'skipped', reason: 'not-utf8', stamp }
  const text = bytes.toString('utf8')
  return {
    kind: 'source',
    text: text.startsWith(byteOrderMark) ? text.slice(1) : text,
    hash: hash('sha256', bytes, 'hex').slice(0, 32),
    stamp,
  }
}

/** Files up to this size are read into one buffer after the other. */
const maxReusedBytes = 4_000_000
let reused = Buffer.alloc(0)

/**
 * Good until the next file is read: a fresh one for each file is memory that only a whole garbage collection gives back,
 * and these then take several percent of a run.
 */
function bufferFor(size: number): Buffer {
  if (size > maxReusedBytes) return Buffer.allocUnsafe(size)
  if (reused.length < size) reused = Buffer.allocUnsafeSlow(Math.min(2 * size, maxReusedBytes))
  return reused.subarray(0, size)
}

/** Up to `size` bytes: what was appended since is for the next run, whose time stamp will differ. */
function readWhole(descriptor: number, size: number): Buffer {
  const buffer = bufferFor(size)
  let filled = 0
  while (filled < size) {
    const count = readSync(descriptor, buffer, filled, size - filled, filled)
    if (count === 0) break
    filled += count
  }
  return buffer.subarray(0, filled)
}

/** ELOOP: it has become a link. ENXIO: it has become a socket. */
function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR'
}
