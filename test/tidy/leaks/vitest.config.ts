import base from '../../../vitest.config.ts'

/** The house's own configuration, over files that each leave one thing behind; run by ../leak-guard.test.ts. */
export default { ...base, test: { ...base.test, include: ['test/tidy/leaks/*.leak.ts'] } }
