import { writeSync } from 'node:fs'

const descriptor = 2
/** How long is waited for a reader that has fallen behind, at a time. */
const retryAfterMs = 2
const sleeping = new Int32Array(new SharedArrayBuffer(4))

/**
 * Whole lines to stderr, out when the call returns. What cannot be written is left out, as on a full disk or when nobody
 * reads any more: the log must not end its host, and where it cannot be written nobody could be told.
 */
export class StderrLines {
  /** Whether the last line that was begun has not ended. */
  #isTorn = false

  write(lines: Uint8Array): void {
    if (this.#isTorn && !this.#writeAll(Buffer.from('\n'))) return
    this.#isTorn = false
    this.#writeAll(lines)
  }

  #writeAll(bytes: Uint8Array): boolean {
    let written = 0
    while (written < bytes.length) {
      try {
        written += writeSync(descriptor, bytes, written)
      } catch (error) {
        // A pipe that does not block its writers is full.
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') {
          Atomics.wait(sleeping, 0, 0, retryAfterMs)
          continue
        }
        this.#isTorn ||= written > 0 && bytes[written - 1] !== newline
        return false
      }
    }
    return true
  }
}

const newline = 10
