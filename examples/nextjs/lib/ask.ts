import { convertToModelMessages, generateId, generateText, type LanguageModel } from 'ai';
import { loadThread, saveThread } from './threads.ts';

/**
 * Loads the whole array, pushes to it and saves it, as with an ORM. If two requests do this at once,
 * the second save is refused with THSHR, because its array does not continue the thread. The caller
 * then loads the thread again, and decides again.
 */
export async function ask(
  model: LanguageModel,
  owner: string,
  key: string,
  question: string,
): Promise<string> {
  const messages = await loadThread(owner, key);
  messages.push({ id: generateId(), role: 'user', parts: [{ type: 'text', text: question }] });
  const { text } = await generateText({ model, messages: await convertToModelMessages(messages) });
  messages.push({ id: generateId(), role: 'assistant', parts: [{ type: 'text', text }] });
  await saveThread(owner, key, messages);
  return text;
}
