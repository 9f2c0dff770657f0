import pg from 'pg';

// One pool a process: Next.js loads modules again whenever they change in development.
const shared = globalThis as { pgthreads?: pg.Pool };

/** Connects as a member of `pgthreads_server`, by the URL or else by the PG* variables. */
export const pool = (shared.pgthreads ??= connect());

function connect(): pg.Pool {
  const fresh = new pg.Pool({
    connectionString: process.env.PGTHREADS_DATABASE_URL ?? process.env.DATABASE_URL,
  });
  // An idle connection that the database closes is replaced by the next call; unheard, it would
  // end this process.
  return fresh.on('error', console.error);
}
