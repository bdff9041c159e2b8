/** A thread that runs one actor: a user's module, or one of the engine's own. */
import { runActor } from '../src/actor/run-actor.ts'
import { startOfThread } from '../src/actor/thread-start.ts'

await runActor(startOfThread('actor'))
