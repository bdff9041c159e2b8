import { closeSync, constants, ftruncateSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../clock.ts'
import { makeJobFolder } from '../execution/job-folder.ts'
import { openOwnFile } from './own-file.ts'

const firstBytes = 16_384
/** Of a line, to tell what it was to be. */
const beginningBytes = 64
const retryAfterMs = 1_000
const openFlags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT

/**
 * What a program writes to one of its outputs: kept in a file of bounded size, and its end in memory. When the file
 * would grow beyond its bound it begins anew with the newest half of that.
 *
 * The file is made with the first output. One that cannot be written costs the log, and not the job: the end in memory is
 * whole all the same, and with the first output after a second the file is tried again.
 */
export class OutputLog {
  readonly #path: string
  readonly #mostBytes: number
  readonly #keptBytes: number
  readonly #clock: Clock
  #file: number | undefined
  #fileBytes = 0
  #failure: unknown
  #silentUntilMs = Number.NEGATIVE_INFINITY
  #buffer = Buffer.alloc(firstBytes)
  #length = 0
  /** How the line begins in the middle of which the buffer begins; empty: it begins with a line. */
  #cutBeginning = ''

  constructor(path: string, mostBytes: number, clock: Clock) {
    this.#path = path
    this.#mostBytes = mostBytes
    this.#keptBytes = Math.floor(mostBytes / 2)
    this.#clock = clock
  }

  /** Why the file could not be written, at first; undefined when it could. */
  get failure(): unknown {
    return this.#failure
  }

  /** Never throws. */
  write(chunk: Buffer): void {
    this.#remember(chunk)
    if (this.#clock.monotonicMs() < this.#silentUntilMs) return
    try {
      this.#keep(chunk)
    } catch (error) {
      this.#failure ??= error
      this.#silentUntilMs = this.#clock.monotonicMs() + retryAfterMs
      this.close()
    }
  }

  #keep(chunk: Buffer): void {
    this.#file ??= this.#open()
    if (this.#fileBytes + chunk.length <= this.#mostBytes) {
      this.#append(this.#file, chunk)
      return
    }
    ftruncateSync(this.#file)
    this.#fileBytes = 0
    this.#append(this.#file, this.#end(this.#keptBytes))
  }

  #open(): number {
    makeJobFolder(dirname(this.#path))
    const { file, bytes } = openOwnFile(this.#path, openFlags)
    this.#fileBytes = bytes
    return file
  }

  /** The last characters; what was cut in the middle of one is left out. */
  tail(characters: number): string {
    const text = this.#end(characters * 4).toString('utf8')
    return text.slice(-characters).replace(/^\uFFFD+/, '')
  }

  /** The last line that is not blank, as far as it is remembered. */
  lastLine(): string {
    return this.#end(this.#length).toString('utf8').trimEnd().split('\n').at(-1)?.trim() ?? ''
  }

  /** How the last line begins, where the beginning is not remembered; undefined: all of it is. */
  get lastLineCutAfter(): string | undefined {
    if (this.#cutBeginning === '') return undefined
    return this.#end(this.#length).toString('latin1').trimEnd().includes('\n')
      ? undefined
      : this.#cutBeginning
  }

  close(): void {
    const file = this.#file
    this.#file = undefined
    if (file !== undefined) closeSync(file)
  }

  #append(file: number, bytes: Buffer): void {
    this.#fileBytes += bytes.length
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
  }

  #end(bytes: number): Buffer {
    return this.#buffer.subarray(Math.max(0, this.#length - bytes), this.#length)
  }

  /** The buffer holds between one and two times what is to be kept, so that it is seldom moved. */
  #remember(chunk: Buffer): void {
    const skipped = Math.max(0, chunk.length - this.#keptBytes)
    const added = chunk.subarray(skipped)
    if (skipped > 0 || this.#length + added.length > 2 * this.#keptBytes) {
      const kept = Math.min(this.#length, this.#keptBytes - added.length)
      this.#forget(this.#buffer.subarray(0, this.#length - kept))
      this.#forget(chunk.subarray(0, skipped))
      this.#buffer.copyWithin(0, this.#length - kept, this.#length)
      this.#length = kept
    }
    if (this.#length + added.length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#buffer.length * 2, this.#length + added.length))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    added.copy(this.#buffer, this.#length)
    this.#length += added.length
  }

  #forget(bytes: Buffer): void {
    if (bytes.length === 0) return
    const newline = bytes.lastIndexOf('\n')
    if (newline === -1 && this.#cutBeginning !== '') return
    this.#cutBeginning = bytes.toString('latin1', newline + 1, newline + 1 + beginningBytes)
  }
}
