import type { UIMessage } from 'ai';
import { pool } from './database.ts';

// One function for each call of the database. Each is one statement, which is one transaction: the
// tenant is set for it only. clean_json() accepts text of models and browsers that jsonb refuses.

export type Turn =
  | { outcome: 'started'; state_key: string; turn_id: string; history: UIMessage[] }
  | { outcome: 'running'; state_key: string; turn_id: string }
  | { outcome: 'answered'; state_key: string; answer: UIMessage };

export type Status = 'completed' | 'stopped' | 'failed';

/**
 * Commits the user's message and takes the thread's lease, before any model is asked. `parentId` is
 * the message that the page shows before it, or '' for none; null is the end of the newest branch.
 */
export async function beginTurn(
  owner: string,
  key: string | null,
  message: unknown,
  turnId: string,
  parentId: string | null = null,
): Promise<Turn> {
  const { rows } = await pool.query(
    `select b.outcome, b.state_key, b.turn_id, b.history, b.answer
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.begin_turn(
         t.owner, $2, pgthreads.clean_json($3), $4,
         p_parent_id => $5, p_on_stale => 'branch') as b`,
    [owner, key, JSON.stringify(message ?? null), turnId, parentId],
  );
  return rows[0];
}

/** Ends the turn with its answer, if there is one: both or neither. */
export async function completeTurn(
  owner: string,
  key: string,
  turnId: string,
  message: UIMessage | null,
  status: Status,
  usage: object | null,
): Promise<void> {
  await pool.query(
    `select c.status
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.complete_turn(
         t.owner, $2, $3, $5, pgthreads.clean_json($4), $6) as c`,
    [owner, key, turnId, message && JSON.stringify(message), status, usage],
  );
}

/** Extends the lease; says whether the turn is still ours, and whether it should stop. */
export async function extendTurn(owner: string, key: string, turnId: string) {
  const { rows } = await pool.query<{ alive: boolean; stop_requested: boolean }>(
    `select e.alive, e.stop_requested
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.extend_turn(t.owner, $2, $3) as e`,
    [owner, key, turnId],
  );
  return rows[0]!;
}

/** Asks the running turn to stop, whichever process runs it; false if none runs. */
export async function requestStop(owner: string, key: string): Promise<boolean> {
  const { rows } = await pool.query<{ turn_id: string | null }>(
    `select s.turn_id
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.request_stop(t.owner, $2) as s(turn_id)`,
    [owner, key],
  );
  return rows[0]!.turn_id !== null;
}

export async function loadThread(owner: string, key: string): Promise<UIMessage[]> {
  const { rows } = await pool.query<{ messages: UIMessage[] }>(
    `select l.messages
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.load_thread(t.owner, $2) as l(messages)`,
    [owner, key],
  );
  return rows[0]!.messages;
}

/** Appends what the array has beyond the thread. A shorter or rewritten array is refused. */
export async function saveThread(owner: string, key: string, messages: UIMessage[]): Promise<number> {
  const { rows } = await pool.query<{ appended: number }>(
    `select s.appended
     from pgthreads.set_tenant($1) as t(owner),
       lateral pgthreads.save_thread(t.owner, $2, pgthreads.clean_json($3)) as s`,
    [owner, key, JSON.stringify(messages)],
  );
  return rows[0]!.appended;
}
