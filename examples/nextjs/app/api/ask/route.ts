import { ask } from '../../../lib/ask.ts';
import { model } from '../../../lib/model.ts';
import { refusal } from '../../../lib/refusals.ts';
import { ownerOf } from '../../../lib/session.ts';

/** `{id, question}` → `{text}`, without a stream. */
export async function POST(request: Request): Promise<Response> {
  const owner = await ownerOf(request);
  const { id, question } = await request.json();
  try {
    return Response.json({ text: await ask(model, owner, id, question) });
  } catch (error) {
    return refusal(error);
  }
}
