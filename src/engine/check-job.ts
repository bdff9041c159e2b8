import { unknownJobType } from '../execution/attempt.ts'
import type { AnyJobDefinition } from '../job/definition.ts'
import { encodePayload } from '../job/json.ts'
import { validatePayload } from '../job/payload.ts'
import { checkEnqueueOptions, copyOptions, type EnqueueOptions } from '../job/spec.ts'
import type { CheckedJob } from './enqueue-pack.ts'

/**
 * Checks a job and encodes its payload. What is stored is the validator's input; the thread that runs the job validates
 * again and gives the handler the output. A promise only where the validator is asynchronous.
 *
 * @throws JOB_TYPE_UNKNOWN, OPTION_INVALID, PAYLOAD_NOT_JSON, PAYLOAD_TOO_LARGE, PAYLOAD_INVALID
 */
export function checkJob(
  definitions: ReadonlyMap<string, AnyJobDefinition>,
  jobType: string,
  payload: unknown,
  options: EnqueueOptions | undefined,
): CheckedJob | Promise<CheckedJob> {
  const definition = definitions.get(jobType)
  if (definition === undefined) throw unknownJobType(jobType, definitions.keys())
  if (options !== undefined) checkEnqueueOptions(options)
  const job: CheckedJob = { jobType, payload: encodePayload(payload), options: copyOptions(options) }
  const valid = validatePayload(jobType, definition.payload, payload)
  return valid instanceof Promise ? valid.then(() => job) : job
}
