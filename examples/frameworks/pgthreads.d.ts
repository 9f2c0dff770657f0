// The rows of pgthreads' functions and of its view, as node-postgres, postgres.js and the query
// builders on top of them return them: json and jsonb are parsed, timestamptz is a Date. Copy this
// file. Releases only add columns, so it stays right for the columns that you name.
//
//   const rows = await sql<AppendThread[]>`
//     select a.state_key, a.message_count, a.appended
//     from pgthreads.set_tenant(${user}) as t(owner),
//       lateral pgthreads.append_thread(t.owner, ${key}, ${sql.json(messages)}) as a`;

import type { UIMessage } from 'ai';

type Metadata = Record<string, unknown>;

/** append_thread and save_thread. */
export interface AppendThread {
  state_key: string;
  message_count: number;
  appended: number;
}

export type SaveThread = AppendThread;

export interface ReadMessages {
  seq: number;
  message: UIMessage;
}

export interface ReadThread {
  state_key: string;
  title: string | null;
  message_count: number;
  metadata: Metadata;
  created_at: Date;
  updated_at: Date;
  digest: string;
  messages: UIMessage[];
  earlier_seq: number | null;
}

export interface ListThreads {
  state_key: string;
  title: string | null;
  message_count: number;
  metadata: Metadata;
  created_at: Date;
  updated_at: Date;
  running: boolean;
  next_cursor: string | null;
  waiting: boolean;
  archived_at: Date | null;
}

export interface UpdateThread {
  state_key: string;
  title: string | null;
  message_count: number;
  metadata: Metadata;
  created_at: Date;
  updated_at: Date;
  archived_at: Date | null;
}

export interface ListBranches {
  leaf_id: string;
  leaf_seq: number;
  created_at: Date;
  message_count: number;
}

/** Which columns are set depends on the outcome. */
export interface BeginTurn {
  outcome: 'started' | 'running' | 'answered' | 'waiting';
  state_key: string;
  turn_id: string | null;
  message_count: number | null;
  lease_until: Date | null;
  max_message_bytes: number | null;
  history: UIMessage[] | null;
  answer: UIMessage | null;
}

export interface ExtendTurn {
  alive: boolean;
  stop_requested: boolean;
  lease_until: Date | null;
}

export interface FinishTurn {
  turn_id: string;
  status: string;
  assistant_message_id: string | null;
}

export interface CompleteTurn {
  turn_id: string;
  status: string;
  assistant_message_id: string | null;
  message_count: number | null;
  appended: number;
  usage_refused: string | null;
}

/** The view ai_threads. */
export interface AiThreads {
  id: string;
  owner_user_id: string;
  state_key: string;
  messages: UIMessage[];
  metadata: Metadata;
  created_at: Date;
  updated_at: Date;
  deleted_at: Date | null;
}
