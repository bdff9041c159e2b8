import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach } from 'vitest'

const { readdirSync, readFileSync } = fs

/** What cannot be looked at: the list of processes, or each of them. */
export type Blindness = 'list' | 'processes'

/** Call once in a test file: has this thread see nothing under /proc, as if its descriptors had run out. */
export function useBlindness() {
  let left = 0
  let isOver = () => {}
  const see = () => {
    Object.assign(fs, { readdirSync, readFileSync })
    syncBuiltinESMExports()
    isOver()
  }
  afterEach(see)
  const fail = (path: unknown) => {
    if (--left <= 0) see()
    throw Object.assign(new Error(`EMFILE: too many open files, open '${path}'`), { code: 'EMFILE' })
  }
  return {
    /** Resolves when so many looks have failed; from then on it sees again. */
    begin(what: Blindness, looks: number): Promise<void> {
      left = looks
      const over = Promise.withResolvers<void>()
      isOver = over.resolve
      if (what === 'list')
        fs.readdirSync = new Proxy(readdirSync, {
          apply: (target, self, args) =>
            args[0] === '/proc' ? fail('/proc') : Reflect.apply(target, self, args),
        })
      else
        fs.readFileSync = new Proxy(readFileSync, {
          apply: (target, self, args) =>
            /^\/proc\/\d+\//.test(String(args[0])) ? fail(args[0]) : Reflect.apply(target, self, args),
        })
      syncBuiltinESMExports()
      return over.promise
    },
    end: see,
  }
}
