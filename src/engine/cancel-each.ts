import { limits } from '../config.ts'
import type { CancelAnswer } from '../supervisor/messages.ts'
import type { SupervisorLink } from './supervisor-link.ts'

/**
 * Cancels these jobs, some hundred a message: a list of any length must not be one command, which nobody could come
 * between. The next message goes when the one before is answered, so that others are served meanwhile.
 */
export async function cancelEach(link: SupervisorLink, seqs: readonly number[]): Promise<CancelAnswer[]> {
  const answers: CancelAnswer[] = []
  // An empty list is asked about too: the engine may have been stopped.
  do {
    const some = seqs.slice(answers.length, answers.length + limits.cancelsPerMessage)
    answers.push(...(await link.ask('cancel', some)))
  } while (answers.length < seqs.length)
  return answers
}
