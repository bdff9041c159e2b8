import { execFileSync } from 'node:child_process'
import { constants, openSync, readdirSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { afterEach } from 'vitest'

/** Call once in a test file, outside of the tests. */
export function useVoices(): { hear(path: string): Voices } {
  const heard: Voices[] = []
  afterEach(() => {
    for (const voices of heard.splice(0)) voices.close()
  })
  return {
    hear(path) {
      const voices = new Voices(path)
      heard.push(voices)
      return voices
    },
  }
}

/** A named pipe to which programs tell where they are, a line each: `echo up > "$VOICE"`. */
export class Voices {
  readonly path: string
  readonly lines: string[] = []
  readonly #socket: Socket
  #rest = ''
  #checks: (() => void)[] = []

  constructor(path: string) {
    this.path = path
    execFileSync('mkfifo', [path])
    // Open for both, so that it does not end when a program closes its side.
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    this.#socket = new Socket({ fd, readable: true, writable: false })
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      this.lines.push(...lines)
      for (const check of [...this.#checks]) check()
    })
  }

  /** Resolves when so many lines begin so. */
  said(start: string, count = 1): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const check = () => {
        const found = this.lines.filter((line) => line.startsWith(start))
        if (found.length < count) return
        this.#checks = this.#checks.filter((one) => one !== check)
        resolve(found)
      }
      this.#checks.push(check)
      check()
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** The processes that live with this text among their arguments. */
export function livingWith(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid)
    .filter((pid) => {
      try {
        const isDead = /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
        return !isDead && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(text)
      } catch {
        return false
      }
    })
}

let lastNumber = 0

/** Seconds for `sleep` that nobody else sleeps: they name the process. */
export function uniqueSeconds(): string {
  return `9${process.pid}.${++lastNumber}`
}
