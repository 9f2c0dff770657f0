import { createUIMessageStreamResponse } from 'ai';
import { after } from 'next/server';
import { answer } from '../../../lib/answer.ts';
import { model } from '../../../lib/model.ts';
import { refusal } from '../../../lib/refusals.ts';
import { ownerOf } from '../../../lib/session.ts';
import { requestStop } from '../../../lib/threads.ts';

export const maxDuration = 300;

/**
 * `{id, message, parentId}`: the state key, null for a new thread, one user message, and the id of
 * the message before it on the page.
 */
export async function POST(request: Request): Promise<Response> {
  const owner = await ownerOf(request);
  const { id, message, parentId } = await request.json();
  try {
    const answered = await answer(model, owner, id ?? null, message, parentId ?? null);
    if (answered === null) {
      return Response.json({ error: 'this message is being answered' }, { status: 409 });
    }
    after(() => answered.stored); // the host must not freeze the pump when the client leaves
    return createUIMessageStreamResponse({
      stream: answered.stream,
      headers: { 'x-state-key': answered.stateKey },
    });
  } catch (error) {
    return refusal(error);
  }
}

/** `?id=…` stops the running turn: leaving a stream does not. */
export async function DELETE(request: Request): Promise<Response> {
  const owner = await ownerOf(request);
  const key = new URL(request.url).searchParams.get('id') ?? '';
  try {
    return new Response(null, { status: (await requestStop(owner, key)) ? 202 : 404 });
  } catch (error) {
    return refusal(error);
  }
}
