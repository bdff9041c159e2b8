/** What is printed gets out whole, or the command says that it did not. */
import { fstatSync, writeSync } from 'node:fs'
import { nextTurn } from '../clock.ts'
import { exitCodes } from './exit-codes.ts'

/** To be called before anything is printed. */
export function watchOutput(): void {
  const { stdout, stderr } = process
  // What went wrong cannot be told then; the exit code still tells that something did.
  stderr.on('error', () => {})
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough (`| head`) is no error.
    if (error.code === 'EPIPE') process.exit(exitCodes.ok)
    process.stderr.write(`semantica: the output cannot be written: ${error.message}\n`)
    process.exit(exitCodes.failed)
  })
  if (!isFile(1)) return
  // Node's own writes to a file once: on a disk that fills up, the rest of the text would be lost without an error.
  stdout._write = (bytes: Uint8Array, _encoding, done) => {
    try {
      for (let from = 0; from < bytes.length; ) from += writeSync(1, bytes, from)
      done()
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

/** Resolves when everything that was printed has left, or cannot leave any more. */
export async function outputHasLeft(): Promise<void> {
  await Promise.all([drained(process.stdout), drained(process.stderr)])
  // What has failed is told in a turn of its own, also of a file, which is written at once.
  await nextTurn()
}

async function drained(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0) return
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve())
  })
}

function isFile(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFile()
  } catch {
    return false
  }
}
