/**
 * Adds jobs. What a subject, a generation or an idempotency key decides is decided here, in the order of arrival.
 */
import { assert } from '../errors.ts'
import { type JobSeq, toJobSeq } from '../job/id.ts'
import { defaultPriority, defaultQueue, type EnqueueOptions } from '../job/spec.ts'
import type { JobPolicy } from '../store/rows.ts'
import type { Changes, NewJobFacts } from './changes.ts'
import { endIfExpired, expireLater } from './expire.ts'
import { settleSuperseded } from './finish.ts'
import type { EnqueueReply, EnqueueRequest, ExistingJob } from './messages.ts'

interface Added {
  readonly seq: JobSeq
  readonly isNew: boolean
}

/** Adds the jobs of one message. */
export function applyEnqueue(changes: Changes, request: EnqueueRequest): EnqueueReply {
  const now = changes.clock.wallMs()
  const { jobTypes, options = [], traceparents } = request
  if (request.options === undefined && traceparents === undefined)
    return { kind: 'run', firstSeq: addPlain(changes, request, now) }
  const seqs: number[] = []
  const existing: ExistingJob[] = []
  for (const [index, payload] of textsOf(request.payloads).entries()) {
    const jobType = typeof jobTypes === 'string' ? jobTypes : (jobTypes[index] ?? '')
    const traceparent = typeof traceparents === 'string' ? traceparents : traceparents?.[index]
    const origin = { parent: null, traceparent: traceparent ?? null }
    const facts = factsOf(jobType, payload, options[index], now, origin)
    const added = addJob(changes, facts, options[index] ?? {}, now)
    seqs.push(added.seq)
    if (!added.isNew) existing.push({ index, jobType: changes.writer.jobGet(added.seq)?.jobType ?? jobType })
  }
  return { kind: 'each', seqs, existing }
}

/** The hot path: first attempts in the default queue, about no subject. */
function addPlain(changes: Changes, { jobs, jobTypes, payloads }: EnqueueRequest, now: number): JobSeq {
  assert(jobs > 0, 'an enqueue message holds a job')
  if (typeof jobTypes === 'string') return addRun(changes, jobTypes, jobs, payloads, now)
  const texts = textsOf(payloads)
  let firstSeq: JobSeq | undefined
  for (let first = 0; first < jobs; ) {
    const jobType = jobTypes[first] ?? ''
    let end = first + 1
    while (end < jobs && jobTypes[end] === jobType) end++
    const run = texts.slice(first, end)
    const seq = addRun(changes, jobType, run.length, JSON.stringify(run), now, run)
    firstSeq ??= seq
    first = end
  }
  assert(firstSeq !== undefined, 'a message of several job types holds a job of each')
  return firstSeq
}

/**
 * Adds jobs of one type: those that may run now as running, the others behind them as backlog.
 *
 * @param known what `payloads` holds, where that is at hand: a backlog needs it in one text only
 */
function addRun(
  changes: Changes,
  name: string,
  jobs: number,
  payloads: string,
  now: number,
  known?: readonly string[],
): JobSeq {
  const { writer, claims } = changes
  const jobType = changes.jobTypes.get(name)
  const firstSeq = writer.nextSeqs(jobs)
  if (!changes.mayRunNow(jobType, defaultPriority)) {
    writer.jobsInsertPlain('WAITING', firstSeq, jobs, name, payloads, now)
    recordNew(changes, jobType.waitingState, firstSeq, jobs, name)
    return firstSeq
  }
  const texts = known ?? textsOf(payloads)
  let running = 0
  while (running < jobs && changes.mayRunNow(jobType, defaultPriority)) {
    const source = {
      seq: toJobSeq(firstSeq + running),
      queue: defaultQueue,
      priority: defaultPriority,
      payload: texts[running] ?? '',
      createdAt: now,
      attempt: 1,
      failures: 0,
      suspicion: 0,
      subjectKey: null,
      generation: null,
      traceparent: null,
    }
    claims.make(source, jobType, undefined)
    running++
  }
  recordNew(changes, 'RUNNING', firstSeq, running, name)
  if (running === jobs) {
    writer.jobsInsertPlain('RUNNING', firstSeq, jobs, name, payloads, now)
    return firstSeq
  }
  const [first, rest] = [texts.slice(0, running), texts.slice(running)]
  writer.jobsInsertPlain('RUNNING', firstSeq, running, name, JSON.stringify(first), now)
  const firstWaiting = toJobSeq(firstSeq + running)
  writer.jobsInsertPlain('WAITING', firstWaiting, rest.length, name, JSON.stringify(rest), now)
  recordNew(changes, jobType.waitingState, firstWaiting, rest.length, name)
  return firstSeq
}

function recordNew(
  { transitions }: Changes,
  state: 'QUEUED' | 'SCHEDULED' | 'RUNNING',
  firstSeq: JobSeq,
  jobs: number,
  jobType: string,
): void {
  const attempt = state === 'RUNNING' ? 1 : 0
  transitions?.recordRun(jobs, { seq: firstSeq, jobType, queue: defaultQueue, attempt }, null, state)
}

function textsOf(payloads: string): readonly string[] {
  // The boundary where the host's text gets its type again.
  return JSON.parse(payloads) as string[]
}

/** Adds one job, or finds the one that stands for it. */
export function addJob(changes: Changes, job: NewJobFacts, options: EnqueueOptions, now: number): Added {
  const { idempotencyKey } = options
  if (idempotencyKey !== undefined) {
    const first = changes.writer.idempotencyKeyFind(idempotencyKey)
    if (first !== undefined && changes.writer.jobHead(first) !== undefined)
      return { seq: first, isNew: false }
  }
  const added =
    job.subjectKey === null
      ? addWithoutSubject(changes, job, now)
      : addForSubject(changes, job, job.subjectKey, options, now)
  if (added.isNew && job.policy !== null) expireLater(changes, added.seq, job.policy)
  // Also where an existing job stands for this one: the same key is to give the same job again.
  if (idempotencyKey !== undefined) changes.writer.idempotencyKeyInsert(idempotencyKey, added.seq)
  return added
}

function addWithoutSubject(changes: Changes, job: NewJobFacts, now: number): Added {
  const seq = changes.writer.nextSeq()
  changes.insertReady(seq, job, now)
  return { seq, isNew: true }
}

function addForSubject(
  changes: Changes,
  job: NewJobFacts,
  subjectKey: string,
  options: EnqueueOptions,
  now: number,
): Added {
  const { writer, claims } = changes
  const subject = writer.subjectGet(subjectKey)
  const generation = options.generation ?? (subject?.latestGeneration ?? 0) + 1
  if (subject !== undefined && generation === subject.latestGeneration)
    return { seq: subject.latestSeq, isNew: false }
  if (subject !== undefined && generation < subject.latestGeneration) {
    const seq = writer.nextSeq()
    const row = { ...job, seq, generation, createdAt: now }
    writer.jobInsert(row, { state: 'SUPERSEDED', supersededBy: subject.latestSeq })
    writer.subjectTouch(subjectKey, seq)
    const { jobType, queue } = job
    const head = { seq, state: 'SUPERSEDED' as const, jobType, queue, generation, policy: null, suspicion: 0 }
    changes.reportEndedWaiting(head, 'SUPERSEDED', { supersededBy: subject.latestSeq })
    return { seq, isNew: true }
  }
  // What has run out of time by now is neither kept nor superseded.
  const live = (subject === undefined ? [] : writer.subjectLiveJobs(subject)).filter(
    (head) => !endIfExpired(changes, head, now),
  )
  if (options.onConflict === 'keep') {
    const waiting = live.find((head) => {
      const claim = claims.get(head.seq)
      return head.state !== 'RUNNING' || (claim !== undefined && claims.isWaiting(claim))
    })
    if (waiting !== undefined) return { seq: waiting.seq, isNew: false }
  }
  const seq = writer.nextSeq()
  let running: JobSeq | null = null
  for (const head of live) {
    const claim = claims.get(head.seq)
    if (head.state !== 'RUNNING') {
      changes.endWaiting(head, 'SUPERSEDED', now, seq)
    } else if (claim !== undefined && claims.hold(claim)) {
      settleSuperseded(changes, claim, seq, now)
    } else if (claim !== undefined) {
      running = claim.seq
      claims.doom(claim, { supersededBy: seq })
      if (options.onRunning !== 'finish') changes.abortAfterCommit(claim, 'superseded')
    }
  }
  writer.subjectAdvance(subjectKey, generation, seq, running)
  const row: NewJobFacts = { ...job, generation }
  if (running !== null) changes.insertWaiting(seq, row, now)
  else changes.insertReady(seq, row, now)
  return { seq, isNew: true }
}

export function factsOf(
  jobType: string,
  payload: string,
  options: EnqueueOptions | undefined,
  now: number,
  { parent, traceparent }: Pick<NewJobFacts, 'parent' | 'traceparent'>,
): NewJobFacts {
  return {
    jobType,
    payload,
    queue: options?.queue ?? defaultQueue,
    priority: options?.priority ?? defaultPriority,
    subjectKey: options?.subjectKey ?? null,
    generation: null,
    policy: policyOf(options, now),
    retriedFrom: null,
    parent,
    userTag: options?.userTag ?? null,
    chainGroupId: options?.chainGroupId ?? null,
    traceparent,
  }
}

function policyOf(options: EnqueueOptions | undefined, now: number): string | null {
  if (options === undefined) return null
  const { retry, timeoutMs, deadline, ttlMs } = options
  if (retry === undefined && timeoutMs === undefined && deadline === undefined && ttlMs === undefined)
    return null
  const policy: JobPolicy = {
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(deadline === undefined ? {} : { deadline: Number(deadline) }),
    ...(ttlMs === undefined ? {} : { ttlMs, ttlEndsAt: now + ttlMs }),
  }
  return JSON.stringify(policy)
}
