import { limits } from '../config.ts'
import type { CancelAnswer } from '../supervisor/messages.ts'
import type { SupervisorLink } from './supervisor-link.ts'

/**
 * Cancels these jobs, some hundred a message: a list of any length must not be one command, which nobody could come
 * between. The next message goes when the one before is answered, so that others are served meanwhile.
 */
export async function cancelEach(link: SupervisorLink, seqs: readonly number[]): Promise<CancelAnswer[]> {
  const answers: CancelAnswer[] = []
  for (let first = 0; first < seqs.length; first += limits.cancelsPerMessage)
    answers.push(...(await link.ask('cancel', seqs.slice(first, first + limits.cancelsPerMessage))))
  return answers
}
