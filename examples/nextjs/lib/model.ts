/** Any model of the AI SDK; a plain name goes through its gateway (AI_GATEWAY_API_KEY). */
export const model = process.env.MODEL ?? 'openai/gpt-5-mini';
