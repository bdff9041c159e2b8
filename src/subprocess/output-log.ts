import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs'

const firstBytes = 16_384

/**
 * What a program writes to one of its outputs: kept in a file of bounded size, and its end in memory. When the file
 * would grow beyond its bound it begins anew with the newest half of that.
 */
export class OutputLog {
  readonly #file: number
  readonly #mostBytes: number
  readonly #keptBytes: number
  #fileBytes: number
  #buffer = Buffer.alloc(firstBytes)
  #length = 0

  constructor(path: string, mostBytes: number) {
    this.#mostBytes = mostBytes
    this.#keptBytes = Math.floor(mostBytes / 2)
    this.#file = openSync(path, 'a')
    this.#fileBytes = statSync(path).size
  }

  write(chunk: Buffer): void {
    this.#remember(chunk)
    try {
      this.#keep(chunk)
    } catch {
      // A full disk costs the log, and not the job: the end in memory is whole all the same.
    }
  }

  #keep(chunk: Buffer): void {
    if (this.#fileBytes + chunk.length <= this.#mostBytes) {
      this.#append(chunk)
      return
    }
    ftruncateSync(this.#file)
    this.#fileBytes = 0
    this.#append(this.#end(this.#keptBytes))
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

  close(): void {
    closeSync(this.#file)
  }

  #append(bytes: Buffer): void {
    this.#fileBytes += bytes.length
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written)
  }

  #end(bytes: number): Buffer {
    return this.#buffer.subarray(Math.max(0, this.#length - bytes), this.#length)
  }

  /** The buffer holds between one and two times what is to be kept, so that it is seldom moved. */
  #remember(chunk: Buffer): void {
    const added = chunk.subarray(Math.max(0, chunk.length - this.#keptBytes))
    if (this.#length + added.length > 2 * this.#keptBytes) {
      const kept = Math.max(0, this.#keptBytes - added.length)
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
}
