import { expect, test } from 'vitest'
import { EngineEvents } from '../../src/telemetry/events.ts'
import { EngineLog } from '../../src/telemetry/log.ts'

const resumed = { reason: 'cpu', heldForMs: 1 } as const

/** The next warnings of the process, so many. */
function warnings(count: number): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const told: string[] = []
    const hear = (warning: Error & { code?: string }) => {
      told.push(`${warning.code} ${warning.message}`)
      if (told.length < count) return
      process.off('warning', hear)
      resolve(told)
    }
    process.on('warning', hear)
  })
}

test('what a listener throws, at once or later, is a warning, and keeps nobody else from hearing', async () => {
  const events = new EngineEvents()
  let heard = 0
  const told = warnings(3)
  events.on('resumed', () => {
    throw new Error('at once')
  })
  events.on('resumed', async () => {
    throw new Error('later')
  })
  events.once('resumed', () => Promise.reject('once'))
  events.on('resumed', () => {
    heard++
  })
  events.emit('resumed', resumed)
  expect(heard).toBe(1)
  expect(new Set(await told)).toEqual(
    new Set([
      'SEMANTICA_LISTENER_THREW A listener of resumed threw: at once',
      'SEMANTICA_LISTENER_THREW A listener of resumed threw: later',
      'SEMANTICA_LISTENER_THREW A listener of resumed threw: Thrown: "once"',
    ]),
  )
})

test('so is what a function that gets the log throws later', async () => {
  const events = new EngineEvents()
  const told = warnings(1)
  new EngineLog({
    logLevel: 'info',
    logFormat: 'json',
    secrets: [],
    logTo: async () => {
      throw new Error('no log today')
    },
  }).subscribe(events)
  events.emit('resumed', resumed)
  expect(await told).toEqual(['SEMANTICA_LISTENER_THREW logTo threw: no log today'])
})
