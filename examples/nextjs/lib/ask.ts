import { convertToModelMessages, generateId, generateText, type LanguageModel } from 'ai';
import { loadThread, saveThread } from './threads.ts';

/**
 * The loop of an ORM: load → push → save. Of two that do this at once the second is refused with
 * THSHR, since its array does not continue the thread; it loads again and decides anew.
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
