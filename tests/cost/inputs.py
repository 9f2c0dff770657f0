"""Inputs of a given size, made of a few repeated pieces, as a hostile client would send them.

A genome says how an input is made, and a mutation changes a part of the genome. For each domain (a
text, a message, a stream …) one function makes an input from a genome.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

ATOMS: Mapping[str, Sequence[str]] = {
    "digits": ("4", "4 4", "4111111111111111", "0000", "378282246310005", "5-5", "٤٤٤"),
    "iban": ("GB82", "WEST", "GB82WEST12345698765432", "gb82", "DE89 3704", "A1", "XK051212"),
    "base64": (
        base64.b64encode(random.Random(1).randbytes(48)).decode(),
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJ",
        "AKIA",
        "sk-",
        "ghp_",
        "xoxb-",
        "A" * 40,
    ),
    "secrets": (
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN",
        "-----END",
        "Bearer ",
        "password=",
        "https://a:b@",
        "://",
        "AccountKey=",
        "aws_secret_access_key",
        "api_key",
        "token:",
    ),
    "numbers": (
        "1e300",
        "1e-300",
        "-1E+307",
        "0.1",
        "1" * 60,
        "0",
        "1e131071",
        "0." + "0" * 50 + "1",
    ),
    "words": ("the", "quick", "brown", "fox", "Donaudampfschiff", "x", "a.b", "it's", "<b>"),
    "unicode": ("\u200b", "ﷺ", "e\u0301", "é", "😀", "\u00ad", "ﬃ", "\u202e", "\uff21", "\ufeff"),
    "escapes": ("\\", '"', "\n", "\t", "\x01", "\r\n", "\\u0000", "\\ud800", "/"),
    "mail": ("a@b.co", "@", "+49 30 1234567", "10.0.0.1", "123-45-6789", "::1"),
}
GLUES = ("", " ", "-", "\n", "\u00a0", ".", ",", ":", "=", "_", "@", "/", "  ", "\u200b")
UNITS = (1, 2, 8, 40, 200, 1000, 6000)


@dataclass(frozen=True)
class Genome:
    """How an input is made: the atoms, joined by the glue, repeated; `unit` is its small size."""

    atoms: tuple[str, ...]
    glue: str
    shape: str
    unit: int

    def __str__(self) -> str:
        text = ascii(self.glue.join(self.atoms) + self.glue)[1:-1]
        return f"{self.shape}/{self.unit} {text[:60]}"

    def text(self, size: int) -> str:
        """Return the atoms, again and again, about `size` bytes of UTF-8."""
        piece = self.glue.join(self.atoms) + self.glue
        if not piece:
            piece = "x"
        return piece * max(1, size // len(piece.encode()))

    def pieces(self, size: int) -> Iterator[str]:
        """Return texts of about `unit` characters each, that differ, of `size` bytes together."""
        text = self.text(self.unit * 8)
        for number in range(max(1, size // max(1, self.unit))):
            begin = number % max(1, len(text) - self.unit)
            yield text[begin : begin + self.unit]


def seeds(shapes: Sequence[str]) -> list[Genome]:
    """Return what a search begins with: each kind of atom in each shape."""
    found = [
        Genome((atom,), glue, shapes[0], 40)
        for kind in ATOMS.values()
        for atom, glue in zip(kind, itertools.cycle((" ", "")), strict=False)
    ]
    found += [
        Genome(tuple(kind[:3]), " ", shape, unit)
        for shape in shapes[1:]
        for kind, unit in zip(ATOMS.values(), itertools.cycle(UNITS), strict=False)
    ]
    return found


def mutated(genome: Genome, chance: random.Random, shapes: Sequence[str]) -> Genome:
    """Return a genome that differs in one thing."""
    every = [atom for kind in ATOMS.values() for atom in kind]
    change = chance.randrange(6)
    if change == 0:
        return replace(genome, glue=chance.choice(GLUES))
    if change == 1:
        return replace(genome, unit=chance.choice(UNITS))
    if change == 2:
        return replace(genome, shape=chance.choice(shapes))
    atoms = list(genome.atoms)
    if change == 3 or len(atoms) == 1:
        atoms.insert(chance.randrange(len(atoms) + 1), chance.choice(every))
    elif change == 4:
        atoms.pop(chance.randrange(len(atoms)))
    else:
        atoms[chance.randrange(len(atoms))] = chance.choice(every)
    return replace(genome, atoms=tuple(atoms[:8]))


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def text_of(genome: Genome, size: int) -> str:
    """A text; `lines` has line breaks in it."""
    text = genome.text(size).replace("\x00", "")
    if genome.shape == "lines":
        step = max(genome.unit, 1)
        text = "\n".join(text[at : at + step] for at in range(0, len(text), step))
    return _cut(text, size)


def json_of(genome: Genome, size: int) -> str:
    """The JSON text of a value in the genome's shape, about `size` bytes."""
    numbers = [atom for atom in genome.atoms if atom in ATOMS["numbers"]] or ["1"]
    match genome.shape:
        case "nest" | "deep":
            depth = 6 * genome.unit if genome.shape == "nest" else size // 2
            core = "[" * depth + "]" * depth
            return "[" + ",".join([core] * max(1, size // (len(core) + 1))) + "]"
        case "objects":
            core = '{"a":' * genome.unit + "1" + "}" * genome.unit
            return "[" + ",".join([core] * max(1, size // (len(core) + 1))) + "]"
        case "numbers":
            item = ",".join(numbers)
            return "[" + ",".join([item] * max(1, size // (len(item) + 1))) + "]"
        case "empties":
            return "[" + ",".join(["[]", "{}", '""', "null"] * (size // 13)) + "]"
        case "keys":
            pieces = enumerate(genome.pieces(size * genome.unit // (genome.unit + 12)))
            return "{" + ",".join(f"{_dumps(f'{n:x}{piece}')}:1" for n, piece in pieces) + "}"
        case "strings":
            return _dumps(list(genome.pieces(size * genome.unit // (genome.unit + 4))))
        case _:
            return _dumps(text_of(genome, size))


def message_of(genome: Genome, size: int) -> str:
    """A UIMessage as JSON, as the genome's shape says; or something that is not one."""
    room = max(size - 200, 1)
    text = '{"type":"text","text":"hi"}'
    match genome.shape:
        case "text" | "lines":
            text = '{"type":"text","text":' + _dumps(text_of(genome, room)) + "}"
        case "parts":
            pieces = genome.pieces(room * genome.unit // (genome.unit + 32))
            text = ",".join('{"type":"text","text":' + _dumps(piece) + "}" for piece in pieces)
        case "steps":
            text = ",".join(['{"type":"step-start"}'] * (room // 22))
        case "kinds":
            text = ",".join(['{"type":"x"}'] * (room // 13))
        case "tools":
            outputs = enumerate(genome.pieces(room * genome.unit // (genome.unit + 130)))
            text = ",".join(_tool(f"c{number}", _dumps(piece)) for number, piece in outputs)
        case "files":
            data = _dumps("data:image/png;base64," + text_of(genome, room))
            text = '{"type":"file","mediaType":"image/png","url":' + data + "}"
        case "urls":
            urls = (f"https://{piece}" for piece in genome.pieces(room))
            text = ",".join(
                '{"type":"file","mediaType":"a/b","url":' + _dumps(url) + "}" for url in urls
            )
        case "metadata":
            value = json_of(replace(genome, shape="strings"), room)
            return _message(text, f',"metadata":{{"m":{value}}}')
        case "id":
            return _message(text, "", _dumps(text_of(genome, room)))
        case _:
            text = _tool("c", json_of(genome, room))
    return _message(text, "")


def question_of(genome: Genome, size: int) -> str:
    """A message that a user may send: text, files and metadata."""
    message = message_of(genome, size).replace('"assistant"', '"user"', 1)
    if '"dynamic-tool"' not in message:
        return message
    value = json_of(genome, max(size - 200, 1))
    return _message('{"type":"text","text":"hi"}', f',"metadata":{{"m":{value}}}').replace(
        '"assistant"', '"user"', 1
    )


def waiting_of(genome: Genome, size: int) -> str:
    """An answer that waits for the client's output of a call."""
    call = '{"type":"tool-x","toolCallId":"w","state":"input-available","input":{}}'
    return message_of(genome, size).replace('"parts":[', f'"parts":[{call},', 1)


def messages_of(genome: Genome, size: int) -> str:
    """Many messages, each with a text of the genome's unit; or with a single one."""
    if genome.shape != "many":
        return f"[{message_of(genome, size)}]"
    pieces = enumerate(genome.pieces(size * genome.unit // (genome.unit + 75)))
    return (
        "["
        + ",".join(
            _message('{"type":"text","text":' + _dumps(piece) + "}", "", f'"m{number}"')
            for number, piece in pieces
        )
        + "]"
    )


def object_of(genome: Genome, size: int) -> str:
    """A JSON object."""
    return '{"value":' + json_of(genome, max(size - 10, 1)) + "}"


def frames_of(genome: Genome, size: int) -> str:
    """Frames of a UI message stream."""
    begin = _frame({"type": "start", "messageId": "a1"})
    begin += _frame({"type": "text-start", "id": "1"})
    if genome.shape == "list":
        value = json.loads(json_of(replace(genome, shape="strings"), max(size - 200, 1)))
        return begin + _frame({"type": "data-x", "data": value})
    make = _FRAMES[genome.shape]
    frames, total = [begin], len(begin)
    for number, piece in enumerate(genome.pieces(size)):
        frame = make(number, piece)
        total += len(frame)
        if total > size:
            break
        frames.append(frame)
    return "".join(frames)


def history_of(genome: Genome, size: int) -> str:
    """How many messages a thread has, and which message each continues, as JSON."""
    # Below the limit of messages of a thread, so that a turn may begin.
    count = max(2, size // 110)
    match genome.shape:
        case "star":
            parents = [1] * count
        case "comb":
            parents = [max(1, number - 2) for number in range(1, count + 1)]
        case "pairs":
            parents = [number if number % 2 else max(1, number - 1) for number in range(count)]
        case "random":
            chance = random.Random(genome.unit)
            parents = [chance.randint(1, max(1, number)) for number in range(count)]
        case "steps":
            parents = [
                max(1, number - genome.unit) if number % genome.unit == 0 else number
                for number in range(1, count + 1)
            ]
        case _:
            parents = list(range(count))
    return json.dumps([min(parent, number) for number, parent in enumerate(parents)])


def _frame(chunk: Mapping[str, object]) -> str:
    return f"data: {_dumps(chunk)}\n\n"


_FRAMES: Mapping[str, Callable[[int, str], str]] = {
    "deltas": lambda _, piece: _frame({"type": "text-delta", "id": "1", "delta": piece}),
    "texts": lambda n, piece: _frame({"type": "text-start", "id": f"{n}{piece}"}),
    "same": lambda _, __: _frame({"type": "text-start", "id": "1"}),
    "reasoning": lambda n, piece: _frame(
        {"type": ("reasoning-start", "reasoning-delta")[n % 2], "id": f"{n // 2}", "delta": piece}
    ),
    "calls": lambda n, piece: _frame(
        {"type": "tool-input-available", "toolCallId": f"c{n}", "toolName": "t", "input": piece}
    ),
    "one-call": lambda _, piece: _frame(
        {"type": "tool-output-available", "toolCallId": "c", "output": piece}
    ),
    "inputs": lambda _, piece: _frame(
        {"type": "tool-input-start", "toolCallId": "c", "toolName": piece}
    ),
    "data": lambda n, piece: _frame({"type": "data-x", "id": f"{n}", "data": piece}),
    "same-data": lambda _, piece: _frame({"type": "data-x", "id": "1", "data": piece}),
    "metadata": lambda n, piece: _frame(
        {"type": "message-metadata", "messageMetadata": {f"k{n}": piece}}
    ),
    "same-metadata": lambda _, piece: _frame(
        {"type": "message-metadata", "messageMetadata": {"a": {"b": piece}}}
    ),
    "steps": lambda _, __: _frame({"type": "start-step"}),
    "sources": lambda n, piece: _frame(
        {"type": "source-url", "sourceId": f"{n}", "url": f"https://a/{piece}"}
    ),
    "errors": lambda _, piece: _frame({"type": "error", "errorText": piece}),
    "comments": lambda _, __: ": keep-alive\n\n",
    "blank": lambda _, __: "\n\n",
    "one-frame": lambda _, piece: piece.replace("\n", ""),
    "bad-json": lambda _, piece: f"data: {{{piece}\n\n",
}

SHAPES: Mapping[str, Sequence[str]] = {
    "text": ("text", "lines"),
    "json": ("text", "strings", "numbers", "nest", "deep", "objects", "empties", "keys"),
    "message": (
        *("text", "lines", "parts", "steps", "kinds", "tools", "files", "urls", "metadata", "id"),
        *("strings", "numbers", "nest", "deep", "objects", "empties", "keys"),
    ),
    "history": ("star", "comb", "pairs", "random", "steps", "chain"),
    "frames": (*_FRAMES, "list"),
}
SHAPES = {
    **SHAPES,
    "question": SHAPES["message"],
    "waiting": SHAPES["message"],
    "messages": (*SHAPES["message"], "many"),
    "object": SHAPES["json"],
}

DOMAINS: Mapping[str, Callable[[Genome, int], str]] = {
    "text": text_of,
    "json": json_of,
    "message": message_of,
    "question": question_of,
    "waiting": waiting_of,
    "messages": messages_of,
    "object": object_of,
    "frames": frames_of,
    "history": history_of,
}


def _tool(call: str, output: str) -> str:
    return (
        f'{{"type":"dynamic-tool","toolName":"t","toolCallId":"{call}","input":{{}},'
        f'"state":"output-available","output":{output}}}'
    )


def _message(parts: str, more: str, message_id: str = '"m1"') -> str:
    return f'{{"id":{message_id},"role":"assistant","parts":[{parts}]{more}}}'


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
