"""Reads file parts of messages: the type, the bytes or the address, and the text if it is text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

MAX_URL = 8_000
"""How many characters an address may have that is passed on to a model."""

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_CHARSET = re.compile(r"charset\s*=\s*\"?([A-Za-z0-9_.:+-]{1,40})", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_WORD_OF_URL = re.compile(r"[\x21-\x7e]+")

_SYNONYMS: Mapping[str, str] = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "audio/mp3": "audio/mpeg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "application/x-pdf": "application/pdf",
}

_TEXT_NAMES = (
    *("json", "x-ndjson", "jsonl", "json5", "xml", "yaml", "x-yaml", "toml", "sql", "graphql"),
    *("javascript", "x-javascript", "ecmascript", "typescript", "x-sh", "x-python", "x-tex"),
    *("x-httpd-php", "x-subrip", "x-www-form-urlencoded", "mbox"),
)
_TEXT_TYPES = frozenset(f"application/{name}" for name in _TEXT_NAMES)

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a message.

    It has its `data`, or a `url` if the bytes are elsewhere, or neither if the part is broken.
    `media_type` is in lower case and without parameters, or `""` if it is unknown.
    """

    media_type: str
    name: str = ""
    data: bytes | None = None
    url: str | None = None
    charset: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether its type is a type of text, such as JSON."""
        kind = self.media_type
        return (
            kind.startswith("text/")
            or kind in _TEXT_TYPES
            or kind.endswith(("+json", "+xml", "+yaml"))
        )

    @property
    def key(self) -> str:
        """A hash of its type and content, by which the same file is recognised again."""
        content = self.data if self.data is not None else (self.url or "").encode()
        return hashlib.sha256(self.media_type.encode() + b"\0" + content).hexdigest()

    def text(self) -> str:
        """The data as text, whatever its encoding; see `decode`."""
        return decode(self.data or b"", self.charset)

    def described(self) -> str:
        """Its name, type and size, as far as they are known, to be put into a sentence."""
        facts = [self.media_type.removeprefix("application/") or "unknown type"]
        if self.data is not None:
            facts.append(f"{len(self.data):,} bytes")
        return f"{self.name} ({', '.join(facts)})" if self.name else ", ".join(facts)


def file_of(part: Mapping[str, Any]) -> File:
    """The file of a `file` part. It never raises, whatever the URL and the type are."""
    url, declared = str(part.get("url") or ""), str(part.get("mediaType") or "")
    name = " ".join(str(part.get("filename") or "").split())[:200]
    if url[:5].lower() == "data:":
        head, comma, body = url[5:].partition(",")
        kind = _media_type(declared) or _media_type(head)
        data = _data(head, body) if comma else None
        return File(_seen(kind, data or b""), name, data, charset=_charset(declared, head))
    kind = _media_type(declared)
    return File(kind, name, url=url if _is_address(url) else None, charset=_charset(declared))


def decode(data: bytes, charset: str | None = None) -> str:
    """Decode bytes by the first of these that fits.

    They are the byte order mark, `charset`, UTF-8, Windows-1252 and Latin-1.
    """
    marked = (
        "utf-8-sig"
        if data.startswith(b"\xef\xbb\xbf")
        else "utf-16"
        if data.startswith((b"\xff\xfe", b"\xfe\xff"))
        else None
    )
    for encoding in (marked, charset, "utf-8", "cp1252"):
        try:
            if encoding is not None:
                return _printable(data.decode(encoding))
        except (UnicodeError, LookupError, TypeError, ValueError):
            continue
    return _printable(data.decode("latin-1"))


def seen_type(data: bytes) -> str | None:
    """The media type that the first bytes show if they are of an image or a PDF, else None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _BEGINNINGS if data.startswith(start)), None)


def _printable(text: str) -> str:
    return _CONTROLS.sub("\ufffd", text)


def _media_type(text: str) -> str:
    kind = text.partition(";")[0].strip().lower()
    return _SYNONYMS.get(kind, kind) if len(kind) <= 100 and _MEDIA_TYPE.fullmatch(kind) else ""


def _charset(*heads: str) -> str | None:
    return next((found[1] for head in heads if (found := _CHARSET.search(head))), None)


def _seen(kind: str, data: bytes) -> str:
    """The type that the bytes show if the declared one is an image or unknown, else `kind`."""
    seen = seen_type(data)
    return seen if seen and (not kind or kind.startswith("image/")) else kind


def _data(head: str, body: str) -> bytes | None:
    raw = unquote_to_bytes(body)
    if not head.rstrip().lower().endswith(";base64"):
        return raw
    raw = re.sub(rb"\s+", b"", raw).rstrip(b"=")
    try:
        padded = raw + b"=" * (-len(raw) % 4)
        return base64.b64decode(padded.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_address(url: str) -> bool:
    if len(url) > MAX_URL or not _WORD_OF_URL.fullmatch(url):
        return False
    try:
        split = urlsplit(url)
        return (
            split.scheme.lower() in ("http", "https")
            and bool(split.hostname)
            and (split.port is None or split.port > 0)
        )
    except ValueError:
        return False
