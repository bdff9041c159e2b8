import { expect, test } from 'vitest'
import { ActorClient } from '../../src/actor/actor-client.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { fromPlainError } from '../../src/errors.ts'
import { Actors } from '../../src/supervisor/actors.ts'
import type { EngineEvent, SupervisorNotice } from '../../src/supervisor/messages.ts'
import counter from '../fixtures/actors/counter.ts'

test('an actor that was given up is tried again after a minute, and who uses it is told', async () => {
  const events: EngineEvent[] = []
  const heard: SupervisorNotice['kind'][] = []
  const delaysMs: number[] = []
  const recovered = Promise.withResolvers<void>()
  let client: ActorClient | undefined
  let wake = Promise.withResolvers<void>()
  const clock: Clock = {
    ...systemClock,
    startTimer(delayMs, fire, hold) {
      delaysMs.push(delayMs)
      return systemClock.startTimer(1, fire, hold)
    },
  }
  const tellHost = (notice: SupervisorNotice): void => {
    heard.push(notice.kind)
    if (notice.kind === 'actor-failed') client?.fail(fromPlainError(notice.error))
    if (notice.kind === 'actor-port') {
      if (client === undefined) client = new ActorClient(notice.name, notice.port)
      else client.replacePort(notice.port)
    }
    wake.resolve()
    wake = Promise.withResolvers()
  }
  const onEvent = (event: EngineEvent): void => {
    events.push(event)
    if (event.kind === 'actor-recovered') recovered.resolve()
  }
  const starts = [{ name: 'counter', moduleUrl: counter.url, options: {} }]
  const actors = new Actors(starts, clock, { threads: () => [], tellHost, onEvent })
  await actors.start()
  for (let deaths = 1; deaths <= 6; deaths++) {
    const count = heard.length
    // What waits when it is given up hears either from its port, which closes, or from who gives it up: which comes first.
    const code = deaths < 6 ? 'ACTOR_RESTARTED' : expect.stringMatching(/^ACTOR_(RESTARTED|FAILED)$/)
    await expect(client?.ask({ kind: 'exit' })).rejects.toMatchObject({ code })
    while (heard.length === count) await wake.promise
  }
  await recovered.promise
  expect(await client?.ask({ kind: 'echo', value: 1 })).toBe(1)
  expect(heard.slice(-2)).toEqual(['actor-failed', 'actor-port'])
  expect(delaysMs).toEqual([10, 20, 40, 80, 160, 60_000])
  expect(events.map((event) => event.kind)).toEqual([...Array(6).fill('actor-died'), 'actor-recovered'])
  await actors.stop(5_000)
})
