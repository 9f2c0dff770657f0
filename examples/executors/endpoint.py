"""Any endpoint that speaks OpenAI's chat completions, as an executor.

    ENDPOINT_URL=http://localhost:8000/v1 ENDPOINT_MODEL=qwen3 pgthreads serve \
      --executor endpoint:agent

vLLM, llama.cpp, LM Studio, LiteLLM and many others speak it. pydantic-ai's OpenAI model is the
client, so there is nothing to write but the address. Without tools or instructions of your own not
even that: `OPENAI_BASE_URL=… OPENAI_API_KEY=… pgthreads serve --model openai-chat:qwen3`.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

model = OpenAIChatModel(
    os.environ["ENDPOINT_MODEL"],
    provider=OpenAIProvider(
        base_url=os.environ["ENDPOINT_URL"],
        # Most local servers ask for no key, but the client does.
        api_key=os.environ.get("ENDPOINT_KEY", "none"),
    ),
)
agent = Agent(model, instructions="Answer briefly.")


@agent.tool_plain
def now() -> str:
    """Return the date and the time."""
    return datetime.now(UTC).isoformat(timespec="minutes")
