"""A LangGraph graph as an executor: a model that may call tools until it has an answer.

    OPENAI_API_KEY=… pgthreads serve --executor graph:graph

It needs `pip install 'pgthreads[graphs]' langchain-openai`. `OPENAI_BASE_URL` and `MODEL` choose
another endpoint and another model. The graph has no checkpointer: its memory is the thread.
"""

from __future__ import annotations

import os

from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from pgthreads.events import SourceUrl

BOOKS = {"1815": "Ada Lovelace is born.", "1843": "The notes on the Analytical Engine appear."}


@tool
def look_up(year: str) -> str:
    """Return what happened in a year."""
    # The page shows this beside the answer; the model does not see it.
    get_stream_writer()(
        SourceUrl(year, f"https://en.wikipedia.org/wiki/{year}", f"The year {year}")
    )
    return BOOKS.get(year, "Nothing is known of that year.")


model = ChatOpenAI(model=os.environ.get("MODEL", "gpt-5-mini"), stream_usage=True)
thinks = model.bind_tools([look_up])


async def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
    """Ask the model; what it says is streamed as it comes."""
    said = await thinks.ainvoke([SystemMessage("Answer briefly."), *state["messages"]])
    return {"messages": [said]}


builder = StateGraph(MessagesState)
builder.add_node("answer", answer)
builder.add_node("tools", ToolNode([look_up]))
builder.add_edge(START, "answer")
builder.add_conditional_edges("answer", tools_condition)
builder.add_edge("tools", "answer")
graph = builder.compile()
