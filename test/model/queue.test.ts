/**
 * Random histories, run by the model and by a real engine on real threads side by side. A failure prints
 * the seed and the history; with `SEMANTICA_TEST_SEED` set to that seed, the shortest history that fails.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkDatabase } from '../crash/check-database.ts'
import { isFull, isSeedGiven, seed } from '../crash/effort.ts'
import { usePlace } from '../store/folder.ts'
import { isEnded, type ModelJob, type NewModelJob, type NewPlug, QueueModel } from './queue-model.ts'
import { RealQueue } from './real-queue.ts'

const place = usePlace()
const firstPlug: NewPlug = { subject: 'a', isDeaf: false }
type Step = fc.AsyncCommand<QueueModel, RealQueue>

/** Adds jobs: one by itself, several together. */
class Add implements Step {
  readonly #specs: readonly NewModelJob[]

  constructor(specs: readonly NewModelJob[]) {
    this.#specs = specs
  }

  check(): boolean {
    return true
  }

  async run(model: QueueModel, real: RealQueue): Promise<void> {
    const expected = this.#specs.map((spec) => model.add(spec))
    // What a job returns names it, so the payload holds the number that the model gave it.
    const added = await real.add(
      this.#specs,
      expected.map(({ job }) => job.number),
    )
    for (const [index, { job, isNew }] of expected.entries()) {
      const handle = added[index]
      expect(handle).toMatchObject({ isNew })
      if (isNew && handle !== undefined) real.follow(job, handle)
      else expect(handle?.id).toBe(real.ids[job.number])
    }
    await real.outcomesOf(model.passTime())
    await real.expectLike(model)
  }

  toString(): string {
    return `add ${JSON.stringify(this.#specs)}`
  }
}

class Cancel implements Step {
  readonly #picks: readonly number[]

  constructor(picks: readonly number[]) {
    this.#picks = picks
  }

  check(): boolean {
    return true
  }

  async run(model: QueueModel, real: RealQueue): Promise<void> {
    const jobs = this.#picks.map((pick) => pickOf(model.jobs, pick))
    const ids = jobs.map(({ number }) => real.ids[number] ?? '')
    const beyond = `${ids[0]}zzz`
    const answers = await real.cancel([...ids, beyond])
    expect(answers).toEqual([...jobs.map((job) => model.cancel(job)), 'unknown'])
    await real.expectLike(model)
  }

  toString(): string {
    return `cancel ${this.#picks}`
  }
}

class Retry implements Step {
  readonly #pick: number

  constructor(pick: number) {
    this.#pick = pick
  }

  check(model: QueueModel): boolean {
    // A plug that runs once more would hold up the thread when nobody expects it.
    return pickOf(model.jobs, this.#pick).script !== 'plug'
  }

  async run(model: QueueModel, real: RealQueue): Promise<void> {
    const job = pickOf(model.jobs, this.#pick)
    const id = real.ids[job.number] ?? ''
    if (isEnded(job)) {
      const handle = await real.retry(id)
      real.follow(model.retry(job), handle)
    } else {
      await expect(real.retry(id)).rejects.toMatchObject({ code: 'JOB_NOT_FINISHED' })
    }
    await real.expectLike(model)
  }

  toString(): string {
    return `retry ${this.#pick}`
  }
}

/** Lets everything run to its end, and holds up the thread again. */
class Pull implements Step {
  readonly #plug: NewPlug

  constructor(plug: NewPlug) {
    this.#plug = plug
  }

  check(): boolean {
    return true
  }

  async run(model: QueueModel, real: RealQueue): Promise<void> {
    model.pull()
    await real.pull()
    await real.expectLike(model)
    await real.expectAttemptsLike(model)
    await real.plugIn(model.plugIn(this.#plug), this.#plug.isDeaf)
    await real.expectLike(model)
  }

  toString(): string {
    return `pull, then plug ${JSON.stringify(this.#plug)}`
  }
}

class Restart implements Step {
  check(): boolean {
    return true
  }

  async run(model: QueueModel, real: RealQueue): Promise<void> {
    const isPlugged = model.restart()
    await real.restart(isPlugged)
    await real.expectLike(model)
    if (!isPlugged) await real.plugIn(model.plugIn(firstPlug), firstPlug.isDeaf)
  }

  toString(): string {
    return 'restart'
  }
}

function pickOf(jobs: readonly ModelJob[], pick: number): ModelJob {
  const job = jobs[pick % jobs.length]
  if (job === undefined) throw new Error('There is always the plug')
  return job
}

const subject = fc.constantFrom('a', 'b', 'c')
const spec: fc.Arbitrary<NewModelJob> = fc.record(
  {
    script: fc.constantFrom('succeed', 'fail-once', 'fail-always', 'fail-fatally', 'have-children'),
    subject,
    generation: fc.nat({ max: 9 }),
    onConflict: fc.constant('keep'),
    onRunning: fc.constant('finish'),
    key: fc.constantFrom('k1', 'k2', 'k3', 'k4'),
    priority: fc.integer({ min: -3, max: 3 }),
    time: fc.constantFrom('none-left', 'short'),
  },
  { requiredKeys: ['script'] },
)

const addOne = fc.array(spec, { minLength: 1, maxLength: 1 }).map((specs) => new Add(specs))
const addMany = fc.array(spec, { minLength: 2, maxLength: 6 }).map((specs) => new Add(specs))
const cancel = fc.array(fc.nat(), { minLength: 1, maxLength: 3 }).map((picks) => new Cancel(picks))
const retry = fc.nat().map((pick) => new Retry(pick))
const pull = fc
  .record({ subject: fc.option(subject, { nil: undefined }), isDeaf: fc.boolean() })
  .map((plug) => new Pull(plug))
const restart = fc.constant(new Restart())

/** Each as often as it is named: a restart takes longer than all others together. */
const kinds: fc.Arbitrary<Step>[] = [
  ...[addOne, addOne, addOne, addMany, addMany],
  ...[cancel, cancel, retry, retry, pull, pull, restart],
]
const steps = fc.commands(kinds, { maxCommands: isFull ? 60 : 25, size: 'max' })

/** Against a hang; it is long where a shorter history may have to be looked for. */
const guardMs = isFull || isSeedGiven ? 1_200_000 : 180_000

test(
  'a real engine does what the model does',
  async () => {
    let run = 0
    const property = fc.asyncProperty(steps, async (history) => {
      const database = place.pathOf(`tasks-${run++}.db`)
      const model = new QueueModel()
      {
        await using real = await RealQueue.open(database)
        await real.plugIn(model.plugIn(firstPlug), firstPlug.isDeaf)
        await fc.asyncModelRun(() => ({ model, real }), history)
        model.pull()
        await real.pull()
        await real.expectLike(model)
        await real.expectAttemptsLike(model)
      }
      expect(checkDatabase(database)).toEqual([])
    })
    // Looking for a shorter history that fails takes minutes, so it is done only for a seed that is known to fail.
    await fc.assert(property, { seed, numRuns: isFull ? 60 : 4, endOnFailure: !isSeedGiven, verbose: 1 })
  },
  guardMs,
)
