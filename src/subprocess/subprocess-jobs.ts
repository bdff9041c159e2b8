import { builtInProgramType } from '../job/program.ts'
import { defineJobs } from '../jobs.ts'

/** The built-in job type, whose payload names its program. */
// biome-ignore lint/style/noDefaultExport: pool threads import it
export default defineJobs(import.meta.url, { [builtInProgramType]: { execution: 'subprocess' } })
