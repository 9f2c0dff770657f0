"""What is taken of a chat request's body, and how little of it becomes objects."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import re
import time
from typing import Any, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pgthreads.errors import BadJsonError, BadRequestError, LimitError, MessageError
from pgthreads.events import JsonText
from pgthreads.http import bodies
from pgthreads.http.bodies import (
    MAX_DIGITS,
    decode,
    outside_strings,
    require_finite,
    without_lone_halves,
)
from pgthreads.http.chat_body import MAX_MESSAGES, ChatBody, chat_request, continuation
from pgthreads.postgres import nesting
from pgthreads.postgres.fairness import LARGE
from pgthreads.postgres.pieces import load_messages, without_gc
from tests.scaling import MOST, growth
from tests.server.service import CHAT, THREADS, running_service

JSON = {"Content-Type": "application/json"}
MEGABYTE = 1_000_000

COSTLY: dict[str, str] = {
    "numbers": ",".join(["1e300"] * (MEGABYTE // 6)),
    "lists": ",".join(["[[[[1]]]]"] * (MEGABYTE // 10)),
    "objects": ",".join(['{"a":{}}'] * (MEGABYTE // 9)),
}


def decoded(body: bytes) -> ChatBody:
    return decode(b"".join(without_lone_halves(body)), ChatBody)


def sent_by(body: ChatBody) -> JsonText:
    sent = chat_request(body).message
    assert isinstance(sent, JsonText)
    return sent


class Parsed:
    """Counts the characters that this process parses and prints as JSON."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parsed = self.printed = 0
        loads, dumps = json.loads, json.dumps

        def counted_loads(text: str | bytes, **options: Any) -> Any:
            self.parsed += len(text)
            return loads(text, **options)

        def counted_dumps(value: Any, **options: Any) -> str:
            text = dumps(value, **options)
            self.printed += len(text)
            return text

        monkeypatch.setattr(json, "loads", counted_loads)
        monkeypatch.setattr(json, "dumps", counted_dumps)


def message(message_id: str, role: str = "user", metadata: str = "[]") -> str:
    return (
        f'{{"id": "{message_id}", "role": "{role}", "metadata": {{"m": {metadata}}},'
        ' "parts": [{"type": "text", "text": "hi"}]}'
    )


@pytest.mark.parametrize("name", COSTLY)
async def test_what_is_not_read_is_not_parsed(
    server_dsn: str, admin_dsn: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A page sends all that it shows; the last message alone counts."""
    shown = ",".join(message(f"m{n}", "user", f"[{COSTLY[name]}]") for n in range(3))
    body = f'{{"id": "{name}", "trigger": "submit-message", "messages": [{shown}, {message("q")}]}}'
    async with running_service(server_dsn, admin_dsn) as service:
        parsed = Parsed(monkeypatch)
        async with service.session.post(service.url + CHAT, data=body, headers=JSON) as response:
            assert response.status == 200
            await response.read()
        assert (parsed.parsed < LARGE, parsed.printed < LARGE) == (True, True)
        assert parsed.parsed > 0
        monkeypatch.undo()
        (question, _) = await service.messages(name)
        assert question["id"] == "q"


async def test_a_large_message_is_printed_by_nobody(
    server_dsn: str, admin_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database gets what came; the executor gets what the database has, parsed once."""
    numbers = ",".join(["1.5"] * 100_000)
    body = f'{{"id": "large", "message": {message("q", metadata=f"[{numbers}]")}}}'
    async with running_service(server_dsn, admin_dsn) as service:
        parsed = Parsed(monkeypatch)
        async with service.session.post(service.url + CHAT, data=body, headers=JSON) as response:
            assert (response.status, await response.read() != b"") == (200, True)
        monkeypatch.undo()
        # The database puts a space behind each comma.
        assert parsed.parsed < 1.5 * len(body)
        assert parsed.printed < LARGE
        (request,) = service.executor.requests
        assert request.messages[-1]["metadata"] == {"m": [1.5] * 100_000}


async def test_a_large_prompt_is_parsed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them others are served."""
    numbers = f"[{','.join(['1'] * 50_000)}]"
    body = f"[{','.join([message(str(n), metadata=numbers) for n in range(8)])}]"
    at: list[int] = []
    served = 0

    async def serve() -> None:
        nonlocal served
        while True:
            served += 1
            await asyncio.sleep(0)

    loads = json.loads

    def noted(piece: bytes) -> Any:
        at.append(served)
        return loads(piece)

    monkeypatch.setattr(json, "loads", noted)
    others = asyncio.create_task(serve())
    await asyncio.sleep(0)
    messages = await load_messages(body.encode())
    others.cancel()
    monkeypatch.undo()
    assert messages == json.loads(body)
    assert len(set(at)) >= 8


@pytest.mark.parametrize("name", COSTLY)
async def test_a_large_message_is_parsed_in_pieces(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    body = f"[{message('a')}, {message('b', metadata=f'[{COSTLY[name]}]')}, {message('c')}]"
    longest = 0
    loads = json.loads

    def noted(piece: bytes) -> Any:
        nonlocal longest
        longest = max(longest, len(piece))
        return loads(piece)

    monkeypatch.setattr(json, "loads", noted)
    messages = await load_messages(body.encode())
    monkeypatch.undo()
    assert messages == json.loads(body)
    assert longest <= LARGE


async def test_a_prompt_as_it_is() -> None:
    deep = "[" * 3000 + "]" * 3000
    for body in ("[]", f'[{{"a": {deep}}}]', f'[{{"a": {deep}, "b": "{"x" * LARGE}"}}, 1]'):
        assert await load_messages(body.encode()) == nesting.loads(body.encode())


def test_no_look_for_cycles_in_what_was_parsed() -> None:
    text = f"[{COSTLY['lists']}]"
    with without_gc():
        parsed = json.loads(text)
    assert gc.isenabled()
    assert len(parsed) > 10_000
    assert sum(map(len, (gc.get_objects(0), gc.get_objects(1)))) < 10_000


HALVES = [r"\ud83d", r"\uDBFF", r"\ude00", r"\uDFFF", r"\\", r"\u0041", r"\"", "u", "d83d", "é"]


@given(st.lists(st.sampled_from(HALVES)), st.integers(1, 30))
@example([r"\ud83d", r"\ud83d", r"\ude00", r"\ude00"], 20)
@example([r"\\", r"\ud83d", r"\\", "u", "d83d", r"\ude00"], 20)
def test_halves_of_pairs(pieces: list[str], size: int) -> None:
    """Each becomes U+0000, of which the database makes the same, and everything else stays."""
    body = f'{{"message": "{"".join(pieces)}"}}'
    expected = "".join(
        "\0" if "\ud800" <= each <= "\udfff" else each for each in json.loads(body)["message"]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "LARGE", size)
        sent = json.loads(sent_by(decoded(body.encode())))
    assert sent["parts"] == [{"type": "text", "text": expected}]


LONG = {
    "first halves": r'"%s"' % (r"\ud800" * 100_000),
    "second halves": r'"%s"' % (r"\udfff" * 100_000),
    "pairs": r'"%s"' % (r"\ud83d\ude00" * 50_000),
    "backslashes and halves": r'"%s"' % (r"\\\ud800" * 50_000),
    "empty strings": ",".join(['""'] * 100_000),
    "short keys": ",".join(['{"a":1e300}'] * 50_000),
    "quotes": r'"%s"' % (r"\"" * 200_000),
    "numbers": ",".join(["1e300"] * 80_000),
}


@pytest.mark.parametrize("name", LONG)
def test_a_body_is_looked_at_in_pieces(name: str) -> None:
    """Others are served after each of them."""
    body = f"[{LONG[name]}]".encode()
    cleaned = list(without_lone_halves(body))
    assert len(b"".join(cleaned)) == len(body)
    assert max(map(len, cleaned)) < LARGE + 20 or cleaned == [body]
    assert (len(cleaned) > 1) == (rb"\ud" in body)
    assert max(map(len, outside_strings(body))) < LARGE + 20


NUMBERS_IN = {
    "1e300": 1,
    '"a"': 0,
    '""': 0,
    r'"\\\\"': 0,
    r'"\"1e300,"': 0,
    r'"\\\\\","': 0,
    '"1e300, 1e300"': 0,
    '{"1e300":1e300}': 1,
    "[1e300,1e300]": 2,
}


@given(st.lists(st.sampled_from(sorted(NUMBERS_IN))), st.integers(1, 20))
def test_what_is_outside_strings(values: list[str], size: int) -> None:
    """All numbers are there, each in one piece, and nothing of a string."""
    body = f"[{','.join(values)}]"
    json.loads(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "LARGE", size)
        pieces = [each.decode() for each in outside_strings(body.encode())]
    found = [word for each in pieces for word in re.findall(r"[\w.]+", each)]
    assert found == ["1e300"] * sum(NUMBERS_IN[each] for each in values)


SCALARS: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.text()
ANYTHING = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PARTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "file", "tool-x", "te\u0078t"]) | SCALARS},
        optional={"text": st.text(), "more": ANYTHING},
    ),
    max_size=4,
)
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "parts": PARTS | ANYTHING},
    optional={"id": st.sampled_from(["a", "b", ""]), "metadata": ANYTHING, "more": ANYTHING},
)


@given(st.lists(MESSAGES | SCALARS, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_the_last_user_message(shown: list[Any], ascii_only: bool, spaces: bool) -> None:
    """Whatever else is in the body, and however it is written."""
    body: dict[str, Any] = {"trigger": "submit-message", "x": shown, "messages": shown}
    text = json.dumps(body, ensure_ascii=ascii_only, indent=1 if spaces else None)
    users = [n for n, m in enumerate(shown) if isinstance(m, dict) and m["role"] == "user"]
    if not users:
        with pytest.raises(MessageError):
            chat_request(decoded(text.encode()))
        return
    wanted = shown[users[-1]]
    before = shown[users[-1] - 1] if users[-1] else {"id": ""}
    chat = chat_request(decoded(text.encode()))
    sent = json.loads(str(chat.message))
    parts = wanted["parts"]
    if isinstance(parts, list) and all(isinstance(each, dict) for each in parts):
        parts = [
            p for p in parts if p.get("type") in ("text", "file") or type(p.get("type")) is not str
        ]
    assert sent["id"] == wanted["id"] if "id" in wanted else len(sent["id"]) == 21
    assert sent == {"id": sent["id"], "role": "user", "parts": parts} | (
        {"metadata": wanted["metadata"]} if isinstance(wanted.get("metadata"), dict) else {}
    )
    known = before.get("id") if isinstance(before, dict) else None
    assert chat.parent_id == (known or ("" if users[-1] == 0 else None))


def test_what_is_continued() -> None:
    for last, message_id, continued in (
        (message("a", "assistant"), "a", "a"),
        (message("a", "assistant"), "b", None),
        (message("a"), "a", None),
        ("7", "a", None),
    ):
        body = f'{{"messages": [{message("u")}, {last}], "messageId": "{message_id}"}}'
        found = continuation(decoded(body.encode()))
        assert (found and found.message_id) == continued


def is_finite(body: str) -> bool:
    try:
        for piece in outside_strings(body.encode()):
            require_finite(piece)
    except BadJsonError:
        return False
    return True


NUMBERS = {
    "1e308": True,
    "1e309": False,
    "-1E+309": False,
    "1e-999": True,
    "17e00307": True,
    "18e00307": False,
    "0.1e309": True,
    "1" * 208 + "e99": True,
    "9" * 210 + "e99": False,
    "2" * 309 + ".5": False,
    "1" * MAX_DIGITS: True,
    "1" * (MAX_DIGITS + 1): False,
    f"0.{'1' * 100_000}": True,
}


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
@pytest.mark.parametrize("around", ["%s", "[%s]", '{"a":%s,"b":1}', r'["\"", "\\", %s, "\\\""]'])
def test_numbers_out_of_range(number: str, around: str) -> None:
    assert is_finite(around % number) == NUMBERS[number]
    assert is_finite(f"[{'1e300,' * LARGE}{around % number}]") == NUMBERS[number]
    assert is_finite(json.dumps({"text": around % number}))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 140_000])
async def test_numbers_out_of_range_are_refused(
    server_dsn: str, admin_dsn: str, number: str
) -> None:
    """Wherever they are in a body of whatever size."""
    sent = message("q", metadata=f'[{number}, "{"x" * LARGE}"]')
    async with running_service(server_dsn, admin_dsn) as service:
        await service.chat("known", "hi", "u1")
        for method, path, body in (
            ("POST", CHAT, f'{{"id": "known", "message": {sent}}}'),
            ("POST", CHAT, f'{{"id": "known", "message": "hi", "x": {sent}}}'),
            ("PATCH", f"{THREADS}/known", f'{{"metadata": {sent}}}'),
        ):
            request = service.session.request(method, service.url + path, data=body, headers=JSON)
            async with request as response:
                assert (response.status, (await response.json())["code"]) == (400, "bad_json")
        assert len(await service.messages("known")) == 2


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


JSON_PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "\\",
        '"a"',
        '"\\ud800"',
        "\\u00",
        "\\n",
        " ",
        "\t",
        "\n",
        "\x01",
    ),
    *(
        "0",
        "1",
        "-",
        "+",
        ".",
        "e",
        "E",
        "1e400",
        "9" * 310,
        "1.5",
        "true",
        "null",
        "NaN",
        "Infinity",
    ),
    *("\x0b", "\xa0", "\ufeff", "'", "/", "//", "é", "\u2028", '{"a":1}', '"message":"hi"'),
]


@given(st.lists(st.sampled_from(JSON_PIECES), max_size=8), st.booleans())
@example(["["] * 3, True)
@example(["01"], True)
@example(["1."], True)
@example(["-"], True)
@example(["1e"], True)
@example([".5"], True)
@example(["[1,]"], True)
@example(['{"a":1,}'], True)
@example(['"\\x"'], True)
@example(['"\\/"'], True)
def test_the_grammar_is_that_of_python(pieces: list[str], inside: bool) -> None:
    """Without what Python takes beside JSON."""
    text = f'{{"x": {"".join(pieces)}}}' if inside else "".join(pieces)
    refused: type[Exception] | None = None
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except ValueError:
        refused = BadJsonError
    else:
        if not isinstance(value, dict):
            refused = BadRequestError
    found: type[Exception] | None = None
    try:
        decoded(text.encode())
        if not is_finite(text):
            found = BadJsonError
    except (BadJsonError, BadRequestError) as error:
        found = type(error)
    # What is no object at all may be refused for that before its end is looked at.
    assert found == refused or (found, refused) == (BadRequestError, BadJsonError)


@pytest.mark.parametrize("body", [b'{"x": "\xff"}', b'{"\xff": 1}', b'{"x": "\xed\xa0\x80"}'])
def test_what_is_not_utf_8(body: bytes) -> None:
    with pytest.raises(BadJsonError):
        decoded(body)


@pytest.mark.parametrize("field", ["parentId", "turnId"])
@pytest.mark.parametrize("odd", [r"\ud800", r"\udc00", r"\u0000", ""])
def test_ids_that_the_database_cannot_have(field: str, odd: str) -> None:
    body = f'{{"message": "hi", "{field}": "a{odd}"}}'.encode()
    if not odd:
        chat_request(decoded(body))
        return
    with pytest.raises(BadRequestError):
        chat_request(decoded(body))


def test_the_last_of_two_fields_counts() -> None:
    body = (
        rb'{"message": "a", "mess\u0061ge": {"role": "x", "role": "user", "parts": [], "id": "b"}}'
    )
    assert json.loads(sent_by(decoded(body)))["id"] == "b"


def test_more_messages_than_a_body_may_have() -> None:
    many = f"[{','.join(['{}'] * MAX_MESSAGES * 2)}]"
    chat_request(decoded(f'{{"messages": [{"{}," * (MAX_MESSAGES - 1)}{message("q")}]}}'.encode()))
    # Braces and commas of one message are no messages.
    chat_request(decoded(f'{{"messages": [{message("q", metadata=many)}]}}'.encode()))
    for shown in ("{},", "1,", "[{}],"):
        body = f'{{"messages": [{shown * MAX_MESSAGES}{message("q")}]}}'
        with pytest.raises(LimitError):
            chat_request(decoded(body.encode()))


@pytest.mark.parametrize("unit", [r"\ud800", r"\\", r"\""])
def test_long_texts_grow_linearly(unit: str) -> None:
    """Of escapes. A text without any is only copied."""

    def read(size: int) -> None:
        body = b'{"message": "%b", "x": 1e300}' % (unit * size).encode()
        chat_request(decoded(body))
        assert is_finite(body.decode())

    assert growth(read, 100_000, time.thread_time) <= MOST


@pytest.mark.parametrize(
    "unit", ["1,", "1e300,", '"",', "[],", "{},", '{"type": "text"},', '{"type": "x"},']
)
def test_many_values_grow_linearly(unit: str) -> None:
    def read(size: int) -> None:
        values = (unit * size)[:-1]
        sent = f'{{"role": "user", "parts": [{values}], "metadata": {{"m": [{values}]}}}}'
        body = f'{{"message": {sent}, "x": 1e300}}'
        chat_request(decoded(body.encode()))
        assert is_finite(body)

    assert growth(read, 20_000, time.thread_time) <= MOST
