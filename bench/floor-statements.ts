/**
 * The writes that each job needs when it is written by itself, on the engine's own table: what the floor is made of.
 * The engine has statements of its own for many at once; these stay as they are, so that figures can be compared.
 */
export const floorSql = {
  insertRunning: `INSERT INTO jobs (seq, state, job_type, payload, created_at, attempt)
    VALUES (?, 'RUNNING', ?, ?, ?, 1)`,
  insertQueued: `INSERT INTO jobs (seq, state, job_type, payload, created_at, waits_for)
    VALUES (?, 'QUEUED', ?, ?, ?, 'turn')`,
  settleDone: `UPDATE jobs SET state = 'DONE', started_at = ?, finished_at = ?
    WHERE seq = ? AND state = 'RUNNING' AND attempt = 1`,
} as const
