/** The supervisor thread: opens what it owns, serves the host, and gives everything back in reverse order. */
import type { MessagePort } from 'node:worker_threads'
import { type Incoming, servePort } from '../actor/port.ts'
import type { ThreadStart } from '../actor/thread-start.ts'
import { afterThisTurn, systemClock } from '../clock.ts'
import { unreachable } from '../errors.ts'
import { toJobSeq } from '../job/id.ts'
import { isFinal } from '../job/state.ts'
import { closeWriter } from '../store/close.ts'
import { isSchemaError, schemaDamaged } from '../store/database-errors.ts'
import { DatabaseLock } from '../store/lock.ts'
import { type Database, openWriter, readDatabaseId } from '../store/open.ts'
import type { SchemaUpgrade } from '../store/schema-upgrade.ts'
import { Whereabouts } from '../store/whereabouts.ts'
import { Actors } from './actors.ts'
import type { ThreadHost } from './boot-thread.ts'
import { applyCancel, applyRetry } from './cancel.ts'
import { requestCancel } from './cancel-matching.ts'
import { applyEnqueue } from './enqueue.ts'
import { commitFailed } from './lasting-endings.ts'
import type {
  DatabaseFacts,
  EngineEvent,
  HostNotice,
  SupervisorNotice,
  SupervisorProtocol,
  SupervisorStart,
} from './messages.ts'
import { Metering } from './metering.ts'
import { Supervisor } from './supervisor.ts'
import { tellFacts } from './tell-facts.ts'

/** @param booted pool threads that are on their way; they do nothing before they are greeted */
export async function runSupervisor(
  thread: ThreadStart,
  start: SupervisorStart,
  booted: ThreadHost[],
): Promise<void> {
  let lock: DatabaseLock | undefined
  let database: Database | undefined
  let supervisor: Supervisor | undefined
  // There is one before anybody has something to tell.
  let port: ReturnType<typeof servePort> | undefined
  const tell = (notice: SupervisorNotice, transfer?: readonly MessagePort[]) => port?.tell(notice, transfer)
  const tellEvent = (event: EngineEvent) => tell({ kind: 'event', event, at: systemClock.wallMs() })
  const metering = start.isMetered ? new Metering(systemClock) : undefined
  const actors = new Actors(start.actors, systemClock, {
    threads: () => supervisor?.threads() ?? [],
    tellHost: tell,
    onEvent: tellEvent,
  })
  try {
    lock = DatabaseLock.acquire(start.database, start.program)
    // Not before nobody else has the database: they would be at work beside another engine's, on what those own. And not
    // later, since they take longer to start than it takes to open. Who starts the supervisor hears of it.
    const startActors = () => void actors.start().catch(() => {})
    const opened = openDatabase(start, lock, startActors)
    database = opened.database
    const facts = factsOf(database)
    const held = { database, lock, whereabouts: new Whereabouts(database) }
    const serving: Supervisor = new Supervisor({
      start,
      database,
      databaseId: facts.databaseId,
      clock: systemClock,
      actors,
      booted,
      metering,
      tell,
      giveUp: (error) => serving.isServing && giveUp(serving, held, error),
    })
    supervisor = serving
    const release = giveBack.bind(undefined, held, metering, tellEvent)
    const answerFacts = tellFacts.bind(undefined, supervisor, database, metering)
    port = servePort<SupervisorProtocol>(
      thread.port,
      (incoming) => {
        if (incoming.kind === 'facts') answerFacts(incoming.answer)
        else serve(serving, facts, release, incoming)
      },
      // The boundary where the host's notices get their type.
      (message) => heed(serving, message as HostNotice),
    )
    if (opened.upgrade !== undefined) tellEvent({ kind: 'schema-upgraded', ...opened.upgrade })
    await supervisor.start()
    giveUpIfMoved(held, supervisor)
    thread.ready()
  } catch (error) {
    metering?.stop()
    // It ends the actors too, where there is one.
    if (supervisor === undefined) await actors.stop(1_000).catch(() => {})
    else await supervisor.abandon()
    await Promise.all(booted.map((host) => host.destroy()))
    if (database !== undefined) closeWriter(database)
    lock?.release()
    thread.failed(isSchemaError(error) ? schemaDamaged(error, start.database) : error)
  }
}

interface Held {
  readonly database: Database
  readonly lock: DatabaseLock
  readonly whereabouts: Whereabouts
}

function giveBack(
  { database, lock, whereabouts }: Held,
  metering: Metering | undefined,
  tell: (event: EngineEvent) => void,
): void {
  metering?.stop()
  const moved = whereabouts.moved()
  // What was committed before it was noticed: nobody comes to try it again.
  if (moved !== undefined) tell(commitFailed(moved, undefined, undefined))
  closeWriter(database)
  lock.release()
}

/** Has whatever would be written refused once the database is not where it was. A stop that is under way goes on. */
function giveUpIfMoved(held: Held, supervisor: Supervisor): void {
  let isTold = false
  supervisor.changes.writer.mayCommit = () => {
    const moved = held.whereabouts.moved()
    if (moved === undefined) return
    if (!isTold && supervisor.isServing) {
      isTold = true
      giveUp(supervisor, held, moved)
    }
    throw moved
  }
}

/**
 * Ends this thread, which the host is told, after what is at work for it: programs would run on, and nobody would hear
 * of them.
 */
function giveUp(supervisor: Supervisor, { database, lock }: Held, reason: unknown): void {
  // After the replies: those who asked are told why.
  afterThisTurn(async () => {
    await supervisor.abandon().catch(() => {})
    try {
      // What was acknowledged goes with the file, wherever it is now: a WAL left behind would be lost, or taken for
      // that of the next file of this name.
      closeWriter(database)
      lock.release()
    } catch {
      // What cannot be closed is closed with the thread.
    }
    afterThisTurn(() => {
      throw reason
    })
  })
}

function openDatabase(
  { database: path, durability, upgradeBackup }: SupervisorStart,
  lock: DatabaseLock,
  onOwned: () => void,
) {
  let upgrade: SchemaUpgrade | undefined
  const onUpgrade = (done: SchemaUpgrade) => {
    upgrade = done
  }
  const database = openWriter({ path, durability, lock, onOwned, upgradeBackup, onUpgrade })
  return { database, upgrade }
}

function factsOf(database: Database): DatabaseFacts {
  return {
    databaseId: readDatabaseId(database),
    path: database.name,
    sqliteVersion: String(database.prepare('SELECT sqlite_version()').pluck().get()),
  }
}

/** Reports the job's outcome when it has one. False: it has ended already, or does not exist. */
function watch({ changes, subscriptions }: Supervisor, seq: number): boolean {
  const { claims, writer } = changes
  const state = claims.get(seq) === undefined ? writer.jobHead(toJobSeq(seq))?.state : 'RUNNING'
  if (state === undefined || isFinal(state)) return false
  subscriptions.watch(seq)
  return true
}

function heed({ subscriptions, throttle, transitions }: Supervisor, notice: HostNotice): void {
  switch (notice.kind) {
    case 'subscribe':
      subscriptions.heed(notice)
      return
    case 'measured':
      throttle.measured(notice.load)
      return
    case 'logged':
      transitions?.logged(notice.characters, systemClock.wallMs())
      return
    default:
      unreachable(notice)
  }
}

function serve(
  supervisor: Supervisor,
  facts: DatabaseFacts,
  release: () => void,
  incoming: Exclude<Incoming<SupervisorProtocol>, { readonly kind: 'facts' }>,
): void {
  const { changes } = supervisor
  /** Runs in a transaction; the reply goes out after its commit. */
  const commit = <Reply>(
    answer: { reply(value: Reply): void; refuse(error: unknown): void },
    apply: () => Reply,
  ): void =>
    supervisor.submit({
      apply: () => {
        const reply = apply()
        supervisor.afterCommit(() => answer.reply(reply))
      },
      refuse: (error) => answer.refuse(error),
    })
  /** Runs once everything that the host asked before has been committed or refused. */
  const afterEarlier = (answer: () => void): void =>
    supervisor.submit({ apply: () => supervisor.afterCommit(answer), refuse: answer })
  switch (incoming.kind) {
    case 'describe':
      incoming.answer.reply(facts)
      return
    case 'enqueue':
      commit(incoming.answer, () => applyEnqueue(changes, incoming.request))
      return
    case 'cancel':
      commit(incoming.answer, () => {
        const now = changes.clock.wallMs()
        return incoming.request.map((seq) => applyCancel(changes, seq, now))
      })
      return
    case 'cancel-matching': {
      const { request, answer } = incoming
      const apply = () => requestCancel(changes, request, (report) => answer.reply(report))
      supervisor.submit({ apply, refuse: (error) => answer.refuse(error) })
      return
    }
    case 'retry':
      commit(incoming.answer, () => applyRetry(changes, incoming.request, changes.clock.wallMs()))
      return
    case 'watch':
      afterEarlier(() => incoming.answer.reply(incoming.request.filter((seq) => !watch(supervisor, seq))))
      return
    case 'stats':
      afterEarlier(() => incoming.answer.reply(supervisor.stats()))
      return
    case 'maintain':
      afterEarlier(() => supervisor.maintenance.runNow(incoming.answer))
      return
    case 'maintenance-status':
      incoming.answer.reply(supervisor.maintenance.status())
      return
    case 'idle':
      afterEarlier(() => supervisor.whenIdle(() => incoming.answer.reply(null)))
      return
    case 'stop':
      supervisor
        .stop(incoming.request.graceMs)
        .finally(release)
        .then(incoming.answer.reply.bind(incoming.answer), incoming.answer.refuse.bind(incoming.answer))
      return
    default:
      unreachable(incoming)
  }
}
