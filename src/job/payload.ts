import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, engineError, toPlainError } from '../errors.ts'

/**
 * Runs a job type's validator. Synchronous validators answer synchronously, so that the hot path stays free of
 * promises.
 *
 * @throws PAYLOAD_INVALID (or rejects with it) naming up to five places and what is wrong there
 */
export function validatePayload(
  jobType: string,
  schema: StandardSchemaV1 | undefined,
  payload: unknown,
): unknown | Promise<unknown> {
  if (schema === undefined) return payload
  let outcome: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>
  try {
    outcome = schema['~standard'].validate(payload)
  } catch (error) {
    throw brokenValidator(jobType, error)
  }
  if (!(outcome instanceof Promise)) return outputOf(jobType, outcome)
  return outcome.then(
    (settled) => outputOf(jobType, settled),
    (error: unknown) => {
      throw brokenValidator(jobType, error)
    },
  )
}

/** A validator that throws, instead of saying what is wrong, has not accepted the payload either. */
function brokenValidator(jobType: string, cause: unknown): Error {
  const { name, message } = toPlainError(cause)
  return engineError('PAYLOAD_INVALID', {
    found: `The validator of ${jobType} threw ${name}: ${message}`,
    action: `Correct the validator, or pass what it accepts.`,
    cause,
  })
}

function outputOf(jobType: string, outcome: unknown): unknown {
  if (!isResult(outcome))
    throw engineError('PAYLOAD_INVALID', {
      found: `The validator of ${jobType} gave ${describe(outcome)}`,
      allowed: 'an object with a `value`, or with a list of `issues`',
      action: 'Correct the validator.',
    })
  if (outcome.issues === undefined) return outcome.value
  const issues = outcome.issues.slice(0, 5).map((issue) => ({ path: pathOf(issue), message: issue.message }))
  const listed = issues
    .map(({ path, message }) => `${path === '' ? 'the payload' : path}: ${message}`)
    .join('; ')
  throw engineError('PAYLOAD_INVALID', {
    found: `The payload of ${jobType} does not validate: ${listed}`,
    action: `Pass what the validator of ${jobType} accepts.`,
    details: { issues },
  })
}

/** Whoever writes a validator without types may give anything. */
function isResult(outcome: unknown): outcome is StandardSchemaV1.Result<unknown> {
  if (typeof outcome !== 'object' || outcome === null) return false
  if (!('issues' in outcome) || outcome.issues === undefined) return 'value' in outcome
  const { issues } = outcome
  return Array.isArray(issues) && issues.every((issue) => typeof issue === 'object' && issue !== null)
}

function pathOf(issue: StandardSchemaV1.Issue): string {
  return (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
}
