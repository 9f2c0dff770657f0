"""Answers by `answers.script`, and records which turns it has generated to the end.

`pgthreads serve --executor tests.faults.executor:answer`. With PGTHREADS_FAULTS_LEDGER it appends
a line of JSON to that file when an answer is complete, or has to wait. From then on the answer must
not get lost. It appends another line before it runs a call that was approved.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    ReasoningDelta,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
    UsageReport,
)
from tests.faults.answers import Ask, Call, script

LEDGER = "PGTHREADS_FAULTS_LEDGER"


async def answer(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
    """Answer the last message of the history."""
    prompt = "".join(p["text"] for p in request.messages[-1]["parts"] if p["type"] == "text")
    play = script(prompt, len(request.messages))
    asks = [step for step in play.steps if isinstance(step, Ask)]
    if request.answer is not None:
        for each in request.responses:
            if each.approved is not None:
                if each.approved:
                    _write_down(request, message=request.answer["id"], ran=each.tool_call_id)
                await asyncio.sleep(play.pause)
                yield ToolCallResult(each.tool_call_id, f"ran {each.tool_call_id}")
    for place, step in enumerate(play.steps):
        if isinstance(step, Ask):
            if request.answer is None:
                by_client = step.name != "pay"
                yield ToolCallStart(step.call_id, step.name, step.args, by_client=by_client)
            continue
        if asks and (request.answer is None) != (place == 0):
            continue
        if isinstance(step, Call):
            yield ToolCallStart(step.call_id, step.name, step.args)
            await asyncio.sleep(play.pause)
            yield ToolCallResult(step.call_id, step.result, step.is_error)
            continue
        for piece in step.pieces:
            await asyncio.sleep(play.pause)
            yield TextDelta(piece) if step.kind == "text" else ReasoningDelta(piece)
    if request.answer is None:
        for step in asks:
            if step.name == "pay":
                yield ToolApprovalRequest(step.call_id)
    yield UsageReport({"output_tokens": sum(1 for _ in play.steps)})
    _write_down(request)
    yield Done()


def _write_down(request: ExecutorRequest, **more: str) -> None:
    path = os.environ.get(LEDGER)
    if path is None:
        return
    line = {"pid": os.getpid(), "turn": request.turn_id, "key": request.state_key, **more}
    # One write with O_APPEND, so that lines of several processes never mix.
    ledger = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, (json.dumps(line) + "\n").encode())
    finally:
        os.close(ledger)
