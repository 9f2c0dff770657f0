// The AI SDK's UI message stream: frames to chunks, chunks to a UIMessage. Nothing here knows the
// page, so that tests can run it against the SDK's own assembler.

import type { Chunk, Message, Part } from "./types.ts";

/** The stream ended before its `[DONE]`, or held what no server sends. */
export class BrokenStream extends Error {}

/** Yields the chunks of a response body; throws BrokenStream if it ends without `[DONE]`. */
export async function* readChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new BrokenStream("the stream ended early");
      rest += decoder.decode(value, { stream: true });
      const frames = rest.split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) {
        // A frame without the prefix is a comment that keeps the connection alive.
        if (!frame.startsWith("data: ")) continue;
        if (frame === "data: [DONE]") return;
        yield JSON.parse(frame.slice(6));
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Builds one assistant message. `apply` returns the part that a chunk changed, else null. */
export class Assembler {
  message: Message;
  /** What the last transient `data-status` said; null once something else is to be seen. */
  status: { label?: string } | null = null;
  /** The text of an `error` chunk. */
  error: string | null = null;
  finished = false;
  private _open = new Map<string, Part>();
  private _tools = new Map<string, { part: Part; inputText: string }>();

  /** With `begun`, the stream goes on with that message, and changes it. */
  constructor(begun?: Message) {
    this.message = begun ?? { id: "", role: "assistant", parts: [] };
    for (const part of this.message.parts) {
      if (part.toolCallId !== undefined) this._tools.set(part.toolCallId, { part, inputText: "" });
    }
  }

  apply(chunk: Chunk): Part | null {
    const { message } = this;
    switch (chunk.type) {
      case "start":
        if (chunk.messageId !== undefined) message.id = chunk.messageId;
        return this._metadata(chunk.messageMetadata);
      case "message-metadata":
        return this._metadata(chunk.messageMetadata);
      case "start-step":
        return this._push({ type: "step-start" });
      case "finish-step":
        this._open.clear();
        return null;
      case "text-start":
      case "reasoning-start":
        return this._start(chunk);
      case "text-delta":
      case "reasoning-delta":
        return this._delta(chunk);
      case "text-end":
      case "reasoning-end":
        return this._end(chunk);
      case "tool-input-start":
      case "tool-input-available":
      case "tool-input-error":
        return this._call(chunk);
      case "tool-input-delta":
        return this._inputDelta(chunk);
      case "tool-output-available":
        return this._result(chunk, {
          state: "output-available",
          output: chunk.output,
          preliminary: chunk.preliminary,
        });
      case "tool-output-error":
        return this._result(chunk, {
          state: "output-error",
          errorText: chunk.errorText,
          output: undefined,
          preliminary: undefined,
        });
      case "tool-approval-request":
        return this._result(chunk, {
          state: "approval-requested",
          approval: { id: chunk.approvalId ?? "" },
        });
      case "tool-output-denied":
        return this._result(chunk, { state: "output-denied" });
      case "source-url":
      case "source-document":
      case "file":
        return this._push({ ...chunk });
      case "error":
        this.error = chunk.errorText ?? "";
        return null;
      case "finish":
        this.finished = true;
        return this._metadata(chunk.messageMetadata);
      default:
        return chunk.type.startsWith("data-") ? this._data(chunk) : null;
    }
  }

  private _push(part: Part): Part {
    if (part.type !== "step-start") this.status = null;
    this.message.parts.push(part);
    return part;
  }

  private _metadata(metadata: Record<string, unknown> | undefined): null {
    if (metadata !== undefined) {
      this.message.metadata = merged(this.message.metadata, metadata) as Record<string, unknown>;
    }
    return null;
  }

  private _start({ type, id }: Chunk): Part {
    const kind = type.slice(0, -"-start".length);
    const part: Part = { type: kind, text: "", state: "streaming" };
    // As the SDK does, though not for text.
    if (kind === "reasoning") part.id = id;
    this._open.set(`${kind}${id}`, part);
    return this._push(part);
  }

  private _opened({ type, id }: Chunk, end: string): Part {
    const part = this._open.get(`${type.slice(0, -end.length)}${id}`);
    if (part === undefined) throw new BrokenStream(`a ${type} came without its start`);
    return part;
  }

  private _delta(chunk: Chunk): Part {
    const part = this._opened(chunk, "-delta");
    part.text += chunk.delta ?? "";
    return part;
  }

  private _end(chunk: Chunk): Part {
    const part = this._opened(chunk, "-end");
    part.state = "done";
    this._open.delete(`${part.type}${chunk.id}`);
    return part;
  }

  private _call({ type, toolCallId = "", toolName, dynamic, input, errorText }: Chunk): Part {
    let part = this._tools.get(toolCallId)?.part;
    if (part === undefined) {
      part = dynamic ? { type: "dynamic-tool", toolName } : { type: `tool-${toolName}` };
      part.toolCallId = toolCallId;
      this._tools.set(toolCallId, { part, inputText: "" });
      this._push(part);
    }
    if (type === "tool-input-start") part.state = "input-streaming";
    else if (type === "tool-input-available") Object.assign(part, { state: "input-available", input });
    else Object.assign(part, { state: "output-error", input, errorText });
    return part;
  }

  private _tool(toolCallId = "") {
    const tool = this._tools.get(toolCallId);
    if (tool === undefined) throw new BrokenStream(`there is no tool call ${toolCallId}`);
    return tool;
  }

  private _inputDelta({ toolCallId, inputTextDelta = "" }: Chunk): Part {
    const tool = this._tool(toolCallId);
    tool.inputText += inputTextDelta;
    // Shown while it grows; the whole input comes with tool-input-available.
    tool.part.input = tool.inputText;
    return tool.part;
  }

  private _result({ toolCallId }: Chunk, result: Partial<Part>): Part {
    this.status = null;
    return Object.assign(this._tool(toolCallId).part, result);
  }

  private _data({ type, id, data, transient }: Chunk): Part | null {
    if (transient) {
      if (type === "data-status") this.status = data as { label?: string };
      return null;
    }
    const known = id && this.message.parts.find((part) => part.type === type && part.id === id);
    if (known) return Object.assign(known, { data });
    return this._push(id === undefined ? { type, data } : { type, id, data });
  }
}

/** `value` with `changes` merged into it, and the objects inside of them as well. */
function merged(value: unknown, changes: unknown): unknown {
  if (!isObject(value) || !isObject(changes)) return changes;
  const result: Record<string, unknown> = { ...value };
  for (const [key, change] of Object.entries(changes)) result[key] = merged(result[key], change);
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
