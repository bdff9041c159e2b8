import { hashFor } from './hash.ts'

// Piscina calls the default export.
export default hashFor
