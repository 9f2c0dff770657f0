import pg from 'pg';

// One pool for the process, because in development Next.js loads a module again when it changes.
const shared = globalThis as { pgthreads?: pg.Pool };

/** Connects as a member of `pgthreads_server`, by the URL or otherwise by the PG* variables. */
export const pool = (shared.pgthreads ??= connect());

function connect(): pg.Pool {
  const fresh = new pg.Pool({
    connectionString: process.env.PGTHREADS_DATABASE_URL ?? process.env.DATABASE_URL,
  });
  // If the database closes an idle connection, the next call replaces it. Without a listener, this
  // error would end the process.
  return fresh.on('error', console.error);
}
