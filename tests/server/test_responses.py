"""What a client responds to an answer that waits, and what it only claims."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
    ToolResponse,
    UIMessage,
)
from pgthreads.http.bodies import decode
from pgthreads.http.chat_body import ChatBody, continuation
from pgthreads.message.wire import Shown, rest
from pgthreads.postgres.pool import Pool
from pgthreads.postgres.threads import Threads
from pgthreads.turns.recover import give_back
from pgthreads.turns.settle import Answer, Begin
from pgthreads.turns.spool import Kept, Spool
from pgthreads.turns.store import recover
from tests.scaling import MOST, growth
from tests.server.service import (
    CHAT,
    THREADS,
    Service,
    answers,
    body_of,
    chunks_of,
    running_service,
    says,
    text_of,
)

STEP = {"type": "step-start"}
ASKS: list[AiEvent] = [
    TextDelta("I would pay."),
    ToolCallStart("c1", "pay", {"eur": 5}),
    ToolCallStart("c2", "pay", {"eur": 900}),
    ToolCallStart("c3", "locate", {}, by_client=True),
    ToolCallStart("c4", "look", {}),
    ToolCallResult("c4", "seen"),
    ToolApprovalRequest("c1", "p1"),
    ToolApprovalRequest("c2", "p2"),
    Done("tool-calls"),
]
GOES_ON: list[AiEvent] = [
    ToolCallResult("c1", "paid"),
    ToolCallResult("c2", "denied"),
    TextDelta("Paid from Rome."),
    Done(),
]
ALL: dict[str, dict[str, Any]] = {
    "c1": {"approved": True},
    "c2": {"approved": False, "reason": "Too much."},
    "c3": {"output": {"city": "Rome"}},
}


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, heartbeat=0.2) as running:
        yield running


async def wait(service: Service, key: str, events: Sequence[AiEvent] = ASKS) -> UIMessage:
    """Begin an answer that waits, and return it as the page shows it."""
    service.executor.script = says(*events)
    await service.chat(key, "hi", "u1")
    service.executor.script = says(*GOES_ON)
    return (await service.messages(key))[-1]


def with_responses(answer: UIMessage, given: dict[str, dict[str, Any]]) -> UIMessage:
    """Change the answer as `addToolApprovalResponse` and `addToolOutput` do."""
    answer = copy.deepcopy(answer)
    for part in answer["parts"]:
        said = given.get(part.get("toolCallId"))
        if said is None:
            continue
        if "approved" in said:
            part.update(state="approval-responded", approval=part.get("approval", {}) | said)
        else:
            part.update(said, state="output-error" if "errorText" in said else "output-available")
    return answer


def request_of(key: str, answer: UIMessage, **more: Any) -> dict[str, Any]:
    question = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    return {
        "id": key,
        "messages": [question, answer],
        "trigger": "submit-message",
        "messageId": answer["id"],
    } | more


async def send(service: Service, key: str, answer: UIMessage, **options: Any) -> ClientResponse:
    return await service.post(CHAT, request_of(key, answer), **options)


async def respond(
    service: Service, key: str, answer: UIMessage, given: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    async with await send(service, key, with_responses(answer, given)) as response:
        assert response.status == 200, await response.text()
        return chunks_of(await response.read())


def stored(service: Service, key: str) -> list[tuple[Any, ...]]:
    """All that responses may change in a thread."""
    return service.rows(
        "select to_jsonb(t)::text from pgthreads.tool_response as t where state_key = %s"
        " union all select to_jsonb(o)::text from pgthreads.open_answer as o where state_key = %s"
        " union all select message::text from pgthreads.message where state_key = %s"
        " union all select status from pgthreads.turn where state_key = %s",
        [key] * 4,
    )


def states(message: UIMessage) -> dict[str, str]:
    return {part["toolCallId"]: part["state"] for part in message["parts"] if "toolCallId" in part}


async def test_the_answer_goes_on(service: Service) -> None:
    answer = await wait(service, "on")
    stream = await respond(service, "on", answer, ALL)
    assert stream[0] == {"type": "start", "messageId": answer["id"]}
    assert [chunk["type"] for chunk in stream[1:]] == [
        "tool-output-available",
        "tool-output-denied",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
    ]
    request = service.executor.requests[-1]
    assert [text_of(each) for each in request.messages] == ["hi"]
    assert request.responses == [
        ToolResponse("c1", approved=True),
        ToolResponse("c2", approved=False, reason="Too much."),
        ToolResponse("c3", output={"city": "Rome"}),
    ]
    assert request.answer is not None
    assert states(request.answer)["c3"] == "output-available"
    messages = await service.messages("on")
    assert [each["id"] for each in messages] == ["u1", answer["id"]]
    assert states(messages[1]) == {
        "c1": "output-available",
        "c2": "output-denied",
        "c3": "output-available",
        "c4": "output-available",
    }
    assert [turn[0] for turn in service.turns("on")] == ["waiting", "completed"]
    service.executor.script = answers("Bye.")
    await service.chat("on", "bye")
    assert states(service.executor.requests[-1].messages[1]) == states(messages[1])


async def test_one_after_the_other(service: Service) -> None:
    answer = await wait(service, "each")
    stream = await respond(service, "each", answer, {"c3": ALL["c3"]})
    assert [chunk["type"] for chunk in stream] == ["start", "finish"]
    assert stream[1]["finishReason"] == "tool-calls"
    shown = (await service.messages("each"))[-1]
    assert states(shown)["c3"] == "output-available"
    assert len(service.executor.requests) == 1
    # Another page has only loaded what was shown.
    stream = await respond(service, "each", shown, {"c2": ALL["c2"]})
    assert [chunk["type"] for chunk in stream] == ["start", "finish"]
    shown = (await service.messages("each"))[-1]
    stream = await respond(service, "each", shown, {"c1": ALL["c1"]})
    assert stream[-1]["finishReason"] == "stop"
    assert text_of((await service.messages("each"))[-1]) == "I would pay.Paid from Rome."


async def test_the_same_again_is_replayed(service: Service) -> None:
    answer = await wait(service, "again")
    first = await respond(service, "again", answer, ALL)
    before = stored(service, "again")
    again = await respond(service, "again", answer, ALL)
    kinds = [chunk["type"] for chunk in again]
    assert kinds == [chunk["type"] for chunk in first]
    assert again[:3] == first[:3]
    # A page that shows the whole answer lacks nothing.
    whole = (await service.messages("again"))[-1]
    assert [c["type"] for c in await respond(service, "again", whole, {})] == ["start", "finish"]
    assert stored(service, "again") == before


async def test_as_json(service: Service) -> None:
    answer = await wait(service, "json")
    options = {"headers": {"Accept": "application/json"}}
    part = with_responses(answer, {"c3": ALL["c3"]})
    async with await send(service, "json", part, **options) as response:
        assert (await response.json()) == (await service.messages("json"))[-1]
    async with await send(service, "json", with_responses(answer, ALL), **options) as response:
        assert (await response.json()) == (await service.messages("json"))[-1]
    async with await send(service, "json", with_responses(answer, ALL), **options) as response:
        assert (await response.json()) == (await service.messages("json"))[-1]


async def test_a_dead_continuation_is_never_run_twice(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, heartbeat=30) as service:
        answer = await wait(service, "dead")
        runs: list[str] = []

        async def script(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
            runs.append(request.turn_id)
            await asyncio.sleep(60)
            yield Done()

        service.executor.script = script
        # The turn of a worker that died right after the commit: nobody runs it.
        given = [{"toolCallId": call_id, **said} for call_id, said in ALL.items()]
        service.rows(
            "select r.outcome from pgthreads.set_tenant('dev') as t(owner),"
            " lateral pgthreads.respond_turn(t.owner, 'dead', %s, %s, 'dead-1') as r",
            [answer["id"], json.dumps(given)],
        )
        body = with_responses(answer, ALL)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), await send(service, "dead", body) as response:
                await response.read()
        service.rows(
            "update pgthreads.turn set lease_until = clock_timestamp() - interval '1 second'"
            " where state_key = 'dead'"
        )
        assert (await service.messages("dead"))[-1]["id"] == answer["id"]
        stream = await respond(service, "dead", answer, ALL)
        assert stream[0]["messageMetadata"] == {"status": "abandoned"}
        errors = [each for each in stream if each["type"] == "tool-output-error"]
        assert [each["toolCallId"] for each in errors] == ["c1"]
        assert runs == []
        assert [turn[0] for turn in service.turns("dead")] == ["waiting", "abandoned"]


async def test_two_tabs_at_once(service: Service) -> None:
    answer = await wait(service, "tabs")
    go_on = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        await go_on.wait()
        for event in GOES_ON:
            yield event

    service.executor.script = script
    body = with_responses(answer, ALL)
    responses = await asyncio.gather(*(send(service, "tabs", body) for _ in range(4)))
    go_on.set()
    streams = {await response.read() for response in responses}
    assert len(streams) == 1
    assert [turn[0] for turn in service.turns("tabs")] == ["waiting", "completed"]
    assert len(service.executor.requests) == 2


async def test_an_answer_waits_twice(service: Service) -> None:
    answer = await wait(service, "twice")
    service.executor.script = says(
        ToolCallResult("c1", "paid"),
        ToolCallStart("c5", "pay", {"eur": 1}),
        ToolApprovalRequest("c5"),
        Done("tool-calls"),
    )
    stream = await respond(service, "twice", answer, ALL)
    assert stream[-1]["finishReason"] == "tool-calls"
    shown = (await service.messages("twice"))[-1]
    assert shown["id"] == answer["id"]
    assert states(shown) == {
        "c1": "output-available",
        "c2": "output-denied",
        "c3": "output-available",
        "c4": "output-available",
        "c5": "approval-requested",
    }
    # A page that has lost the stream gets what it lacks, and nothing runs.
    stream = await respond(service, "twice", answer, ALL)
    assert [chunk["type"] for chunk in stream][:3] == [
        "start",
        "tool-output-available",
        "tool-output-denied",
    ]
    assert "tool-approval-request" in [chunk["type"] for chunk in stream]
    service.executor.script = says(ToolCallResult("c5", "paid"), TextDelta("Done."), Done())
    await respond(service, "twice", shown, {"c5": {"approved": True}})
    assert service.executor.requests[-1].responses == [ToolResponse("c5", approved=True)]
    assert states((await service.messages("twice"))[-1])["c5"] == "output-available"


async def test_a_failed_continuation_is_stored(service: Service) -> None:
    answer = await wait(service, "fails")

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield ToolCallResult("c1", "paid")
        raise RuntimeError("the model is away")

    service.executor.script = script
    assert (await respond(service, "fails", answer, ALL))[-1]["type"] == "error"
    last = (await service.messages("fails"))[-1]
    assert last["metadata"] == {"status": "failed"}
    assert states(last)["c1"] == "output-available"
    assert states(last)["c2"] == "output-denied"


@pytest.mark.parametrize("interval", [0.02, 10.0])
async def test_a_page_that_resumes_gets_all_of_it(
    server_dsn: str, admin_dsn: str, interval: float
) -> None:
    key = f"resume-{interval:.0f}"
    options: dict[str, Any] = {"journal_interval": interval, "heartbeat": 0.2}
    async with (
        running_service(server_dsn, admin_dsn, **options) as one,
        running_service(server_dsn, admin_dsn, **options | {"journal_interval": 0.02}) as other,
    ):
        answer = await wait(one, key)
        go_on = asyncio.Event()

        async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
            yield GOES_ON[0]
            await go_on.wait()
            for event in GOES_ON[1:]:
                yield event

        one.executor.script = script
        first = await send(one, key, with_responses(answer, ALL))
        assert [each["id"] for each in await other.messages(key)] == ["u1"]
        pages = [await each.get(f"{CHAT}/{key}/stream") for each in (one, other)]
        # The same responses, and the question again, from another tab at the other worker.
        tab = await send(other, key, with_responses(answer, ALL))
        again = await other.post(CHAT, body_of(key, "hi", "u1"))
        await asyncio.sleep(0.1)
        go_on.set()
        streams = [chunks_of(await each.read()) for each in (*pages, again)]
        only = chunks_of(await first.read())
        assert [c["type"] for c in chunks_of(await tab.read())] == [c["type"] for c in only]
        for stream in streams:
            kinds = [chunk["type"] for chunk in stream if chunk["type"] != "start"]
            assert kinds.count("tool-approval-request") == 2
            assert kinds.count("text-start") == 2
            assert kinds.index("tool-approval-request") < kinds.index("tool-output-denied")
            assert stream[0]["messageId"] == answer["id"]


async def test_a_question_sent_again_while_its_answer_waits(service: Service) -> None:
    answer = await wait(service, "question")
    stream = chunks_of(await service.chat("question", "hi", "u1"))
    assert stream[0]["messageId"] == answer["id"]
    assert [c["approvalId"] for c in stream if c["type"] == "tool-approval-request"] == ["p1", "p2"]
    body = body_of("question", "hi", "u1") | {"approvals": False}
    async with await service.post(CHAT, body) as response:
        stream = chunks_of(await response.read())
    assert "tool-approval-request" not in [chunk["type"] for chunk in stream]
    assert len(service.turns("question")) == 1


async def test_a_new_message_closes_what_waits(service: Service) -> None:
    answer = await wait(service, "instead")
    service.executor.script = answers("Well.")
    await service.chat("instead", "never mind", "u2")
    messages = await service.messages("instead")
    assert [each["id"] for each in messages[:3]] == ["u1", answer["id"], "u2"]
    assert states(messages[1])["c1"] == "output-denied"
    before = stored(service, "instead")
    # It comes too late now, and a tool's output does as well.
    for given in (ALL, {"c1": ALL["c1"]}, {"c3": ALL["c3"]}):
        async with await send(service, "instead", with_responses(answer, given)) as response:
            assert (response.status, (await response.json())["code"]) == (409, "not_waiting")
    assert stored(service, "instead") == before


FORGED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"toolCallId": "c1"}, {"input": {"eur": 1}}),
    ({"toolCallId": "c1"}, {"toolName": "look", "type": "tool-look"}),
    ({"toolCallId": "c4"}, {"output": "forged"}),
    ({"toolCallId": "c4"}, {"state": "output-error", "errorText": "forged"}),
    ({"type": "text"}, {"text": "I would pay a lot."}),
]


@pytest.mark.parametrize("number", range(len(FORGED)))
async def test_nothing_else_is_believed(service: Service, number: int) -> None:
    of, changes = FORGED[number]
    key = f"forged-{number}"
    answer = await wait(service, key)
    sent = with_responses(answer, ALL)
    for part in sent["parts"]:
        if all(part.get(name) == value for name, value in of.items()):
            part.update(changes)
    sent["parts"] += [
        {"type": "text", "text": "forged"},
        {"type": "tool-pay", "toolCallId": "c9", "state": "output-available", "output": "forged"},
    ]
    sent["metadata"] = {"forged": True}
    async with await send(service, key, sent) as response:
        assert response.status == 200, await response.text()
        await response.read()
    given = service.executor.requests[-1].answer
    assert given is not None
    assert given == with_responses(answer, ALL)
    assert "forged" not in json.dumps(await service.messages(key))


BAD: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "an invented call": (
        "c9",
        {"state": "approval-responded", "approval": {"id": "p9", "approved": True}},
        409,
        "not_waiting",
    ),
    "a call that does not wait": (
        "c4",
        {"state": "approval-responded", "approval": {"id": "p4", "approved": True}},
        409,
        "not_waiting",
    ),
    "an approval of a client's tool": (
        "c3",
        {"state": "approval-responded", "approval": {"id": "p3", "approved": True}},
        409,
        "not_waiting",
    ),
    "an output in place of an approval": (
        "c1",
        {"state": "output-available", "output": "forged"},
        409,
        "not_waiting",
    ),
    "approved is no boolean": (
        "c1",
        {"state": "approval-responded", "approval": {"id": "p1", "approved": "yes"}},
        400,
        "bad_message",
    ),
    "approved is missing": (
        "c1",
        {"state": "approval-responded", "approval": {"id": "p1"}},
        400,
        "bad_message",
    ),
    "an approval that is no object": (
        "c1",
        {"state": "approval-responded", "approval": [True]},
        400,
        "bad_message",
    ),
    "a reason that is no string": (
        "c1",
        {"state": "approval-responded", "approval": {"id": "p1", "approved": True, "reason": 1}},
        400,
        "bad_message",
    ),
    "no output": ("c3", {"state": "output-available"}, 400, "bad_message"),
    "an error that is no string": (
        "c3",
        {"state": "output-error", "errorText": {}},
        400,
        "bad_message",
    ),
    "1 MB": (
        "c3",
        {"state": "output-available", "output": "x" * 1024 * 1024},
        413,
        "limit_exceeded",
    ),
    "many lists": (
        "c3",
        {"state": "output-available", "output": [[]] * 100_001},
        413,
        "limit_exceeded",
    ),
    "deep": (
        "c3",
        {"state": "output-available", "output": json.loads("[" * 80 + "]" * 80)},
        413,
        "limit_exceeded",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_refused_changes_nothing(service: Service, what: str) -> None:
    call_id, changes, status, code = BAD[what]
    key = f"bad-{list(BAD).index(what)}"
    answer = await wait(service, key)
    before = stored(service, key)
    sent = copy.deepcopy(answer)
    parts = [part for part in sent["parts"] if part.get("toolCallId") == call_id]
    if not parts:
        parts = [{"type": "dynamic-tool", "toolName": "pay", "toolCallId": call_id, "input": {}}]
        sent["parts"] += parts
    parts[0] |= changes
    async with await send(service, key, sent) as response:
        assert (response.status, (await response.json())["code"]) == (status, code)
    assert stored(service, key) == before
    # It can still be responded to.
    assert (await respond(service, key, answer, ALL))[-1]["finishReason"] == "stop"


async def test_another_response_than_before(service: Service) -> None:
    answer = await wait(service, "differs")
    await respond(service, "differs", answer, {"c1": ALL["c1"]})
    before = stored(service, "differs")
    sent = with_responses(answer, {"c1": {"approved": False}})
    async with await send(service, "differs", sent) as response:
        assert (response.status, (await response.json())["code"]) == (409, "response_differs")
    assert stored(service, "differs") == before


async def test_a_body_that_is_no_json(service: Service) -> None:
    answer = await wait(service, "text")
    before = stored(service, "text")
    body = json.dumps(request_of("text", with_responses(answer, ALL)))
    for bad in (body.replace('"Rome"', "NaN"), body.replace('"Rome"', "Rome"), body[:-1]):
        headers = {"Content-Type": "application/json"}
        async with service.session.post(service.url + CHAT, data=bad, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (400, "bad_json")
    bad_parts: list[Any] = ["x", {}, [1], [None]]
    for parts in bad_parts:
        async with await send(service, "text", {**answer, "parts": parts}) as response:
            assert (response.status, (await response.json())["code"]) == (400, "bad_message")
    assert stored(service, "text") == before


async def test_unknown_answers_and_threads(service: Service) -> None:
    answer = await wait(service, "known")
    for key, sent, status, code in (
        ("known", {**answer, "id": "other"}, 409, "not_waiting"),
        ("known", {**answer, "id": "u1"}, 409, "not_waiting"),
        ("unknown", answer, 404, "thread_not_found"),
    ):
        async with await send(service, key, with_responses(sent, ALL)) as response:
            assert (response.status, (await response.json())["code"]) == (status, code)
    async with service.session.delete(f"{service.url}{THREADS}/known") as response:
        assert response.status == 204
    async with await send(service, "known", with_responses(answer, ALL)) as response:
        assert (response.status, (await response.json())["code"]) == (410, "thread_deleted")
    assert len(service.executor.requests) == 1


async def test_four_eyes(service: Service) -> None:
    service.rows(
        "do $$ begin create role approver_x nologin; exception when duplicate_object then end $$"
    )
    service.rows(
        "insert into pgthreads.approval_policy (tool_name, role_name) values ('pay', 'approver_x')"
    )
    try:
        answer = await wait(service, "eyes")
        before = stored(service, "eyes")
        async with await send(service, "eyes", with_responses(answer, ALL)) as response:
            assert (response.status, (await response.json())["code"]) == (403, "approval_refused")
        assert stored(service, "eyes") == before
        # Anybody may deny.
        denied = ALL | {"c1": {"approved": False}}
        assert (await respond(service, "eyes", answer, denied))[-1]["type"] == "finish"
    finally:
        service.rows("delete from pgthreads.approval_policy")


async def test_somebody_else_has_approved(service: Service) -> None:
    answer = await wait(service, "others")
    given = [{"toolCallId": call_id, **said} for call_id, said in ALL.items()]
    service.rows(
        "select r.outcome from pgthreads.set_tenant('dev') as t(owner),"
        " lateral pgthreads.respond_turn(t.owner, 'others', %s, %s) as r",
        [answer["id"], json.dumps(given)],
    )
    # The page knows nothing of it, and asks how things are.
    stream = await respond(service, "others", answer, {})
    assert [chunk["type"] for chunk in stream][:2] == ["start", "tool-output-available"]
    assert stream[-1]["finishReason"] == "stop"


async def test_a_redacted_output_is_the_same_again(service: Service) -> None:
    answer = await wait(
        service, "secret", [ToolCallStart("c3", "read", {}, by_client=True), Done()]
    )
    given = {"c3": {"output": "AKIAIOSFODNN7EXAMPLE"}}
    await respond(service, "secret", answer, given)
    before = stored(service, "secret")
    await respond(service, "secret", answer, given)
    assert stored(service, "secret") == before


@pytest.mark.parametrize("knows_the_turn", [True, False])
async def test_a_continuation_that_a_failover_has_lost(
    service: Service, server_dsn: str, tmp_path: Path, knows_the_turn: bool
) -> None:
    """The database has the open answer, and the disk has what became of it."""
    key = f"lost-{knows_the_turn}"
    answer = await wait(service, key)
    whole = with_responses(answer, ALL)
    for part in whole["parts"]:
        if part.get("state") == "approval-responded":
            approved = part["approval"]["approved"]
            part.update(
                {"state": "output-available", "output": 1}
                if approved
                else {"state": "output-denied"}
            )
    lost = Answer(
        owner_user_id="dev",
        state_key=key,
        turn_id="lost-1",
        status="completed",
        usage={},
        error_code=None,
        message=whole,
    )
    question = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    begin = Begin(message=question, replaces=None, regenerate=False, message_count=1)
    if knows_the_turn:
        given = [{"toolCallId": call_id, **said} for call_id, said in ALL.items()]
        service.rows(
            "select r.outcome from pgthreads.set_tenant('dev') as t(owner),"
            " lateral pgthreads.respond_turn(t.owner, %s, %s, %s, 'lost-1') as r",
            [key, answer["id"], json.dumps(given)],
        )
    async with Pool(server_dsn, size=1) as pool:
        kept = Kept(tmp_path, 0, lost, begin)
        [recovered] = await give_back(Threads(pool), [kept])
        assert recovered.verdict == "given back", recovered.text
        [again] = await give_back(Threads(pool), [kept])
        assert again.verdict == "stored"
    assert await service.messages(key) == [question, whole]


async def test_an_open_answer_that_a_failover_has_lost(
    service: Service, server_dsn: str, tmp_path: Path
) -> None:
    answer = await wait(service, "kept")
    kept = Answer(
        owner_user_id="dev",
        state_key="other",
        turn_id="lost-1",
        status="waiting",
        usage={},
        error_code=None,
        message=answer,
    )
    question = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    begin = Begin(message=question, replaces=None, regenerate=False, message_count=1)
    async with Pool(server_dsn, size=1) as pool:
        for verdict in ("given back", "stored"):
            [recovered] = await give_back(Threads(pool), [Kept(tmp_path, 0, kept, begin)])
            assert recovered.verdict == verdict, recovered.text
    assert await service.messages("other") == [question, answer]
    assert (await respond(service, "other", answer, ALL))[-1]["finishReason"] == "stop"


async def test_a_paused_answer_waits_in_the_spool(
    server_dsn: str, admin_dsn: str, tmp_path: Path
) -> None:
    async with running_service(server_dsn, admin_dsn, spool_dir=tmp_path / "spool") as service:
        answer = await wait(service, "spooled")
        [(usage,)] = service.rows("select usage from pgthreads.turn where state_key = 'spooled'")
        # As if the process had ended before the commit.
        service.rows("delete from pgthreads.open_answer where state_key = 'spooled'")
        service.rows("update pgthreads.thread set open_since = null where state_key = 'spooled'")
        [(turn_id,)] = service.rows(
            "update pgthreads.turn set status = 'running', assistant_message_id = null,"
            " finished_at = null where state_key = 'spooled' returning turn_id"
        )
        spool = Spool(tmp_path / "spool")
        spooled = Answer(
            owner_user_id="dev",
            state_key="spooled",
            turn_id=turn_id,
            status="waiting",
            usage=usage or {},
            error_code=None,
            message=answer,
        )
        spool.put(spooled).release()
        async with Pool(server_dsn, size=1) as pool:
            await recover(Threads(pool), spool)
        assert spool.names() == []
        assert service.turns("spooled")[0][0] == "waiting"
        assert (await service.messages("spooled"))[-1] == answer
        assert (await respond(service, "spooled", answer, ALL))[-1]["finishReason"] == "stop"


def part_of(number: int) -> dict[str, Any]:
    call = {"type": "dynamic-tool", "toolName": "t", "toolCallId": f"c{number}", "input": {}}
    return call | {"state": "output-available", "output": "x" * 100}


@pytest.mark.parametrize("what", ["said", "lacked"])
def test_long_answers_take_linear_time(what: str) -> None:
    answer = {"id": "a", "role": "assistant"}

    def said(count: int) -> None:
        body = request_of("k", {**answer, "parts": [part_of(number) for number in range(count)]})
        taken = continuation(decode(json.dumps(body).encode(), ChatBody))
        assert taken is not None
        assert len(taken.claims) == count

    def lacked(count: int) -> None:
        parts = [part_of(number) for number in range(count)]
        shown = Shown(count // 2, {f"c{number}": "input-available" for number in range(count)})
        rest({**answer, "parts": [STEP, *parts]}, shown)

    # The CPU's time, because other programs run as well.
    assert growth({"said": said, "lacked": lacked}[what], 2_000, time.thread_time) <= MOST
