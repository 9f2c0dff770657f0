// What the server sends, as far as the page looks at it.

/** A part of a UIMessage. Its keys depend on its type; those that the page reads are named here. */
export interface Part {
  type: string;
  text?: string;
  state?: string;
  id?: string;
  toolCallId?: string;
  toolName?: string;
  input?: unknown;
  output?: unknown;
  preliminary?: boolean;
  errorText?: string;
  approval?: { id: string; approved?: boolean };
  data?: unknown;
  mediaType?: string;
  filename?: string;
  url?: string;
  title?: string;
}

export interface Message {
  id: string;
  role: string;
  parts: Part[];
  metadata?: { status?: string; pgthreads?: Details; [key: string]: unknown };
}

/** What the server knows of a message beside it. */
export interface Details {
  createdAt?: string;
  model?: string;
  durationMs?: number;
  usage?: Record<string, unknown>;
}

/** A thread in the list. */
export interface Thread {
  stateKey: string;
  title: string | null;
  createdAt: string;
  updatedAt: string;
  messageCount: number;
  archived: boolean;
  running: boolean;
  waiting: boolean;
}

/** A thread that a search has found. `snippet` has `**` around what was found. */
export interface Hit {
  stateKey: string;
  title: string | null;
  updatedAt: string;
  snippet: string | null;
}

export interface ThreadPage {
  threads: Thread[];
  nextCursor?: string;
}

/** A page of a thread's messages; `before` says where the page before it ends. */
export interface Reading {
  stateKey: string;
  messages: Message[];
  messageCount: number;
  before?: number;
}

/** A link that shows a thread. */
export interface Share {
  shareId: string;
  createdAt: string;
  expiresAt: string | null;
}

/** What a link shows. */
export interface Shared {
  title: string | null;
  sharedAt: string;
  expiresAt: string | null;
  messages: Message[];
  before?: number;
}

/** A UIMessageChunk of the AI SDK; which keys it has depends on its type. */
export interface Chunk extends Part {
  messageId?: string;
  approvalId?: string;
  messageMetadata?: Record<string, unknown>;
  delta?: string;
  dynamic?: boolean;
  inputTextDelta?: string;
  transient?: boolean;
}
