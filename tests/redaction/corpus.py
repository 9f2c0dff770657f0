"""Texts that must be redacted and texts that must stay: many of each class, made from a seed.

Secrets are put together from pieces here, so that no scanner takes this repository for a leak.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SAMPLES = 100
_ALNUM = string.ascii_letters + string.digits
_URL = _ALNUM + "_-"
_WORDS = "the order was sent to our customer and will arrive with its key on the next day".split()  # noqa: SIM905
Make = Callable[[random.Random], str]


@dataclass(frozen=True)
class Secret:
    """A text, and the part of it that must not be left over."""

    text: str
    secret: str


def some(rng: random.Random, alphabet: str, count: int) -> str:
    """Return a random text of an alphabet."""
    return "".join(rng.choices(alphabet, k=count))


def luhn(digits: str) -> str:
    """Return the digits with the check digit that makes them pass Luhn's formula."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def card(rng: random.Random, prefixes: str, length: int) -> str:
    """Return the number of a card of an issuer."""
    prefix = rng.choice(prefixes.split())
    return luhn(prefix + some(rng, string.digits, length - 1 - len(prefix)))


def any_card(rng: random.Random) -> str:
    """Return a number of one of the issuers."""
    prefixes, length = rng.choice(
        [
            ("4", 16),
            ("51 52 53 54 55 2221 2500 2720", 16),
            ("34 37", 15),
            ("6011 644 649 65", 16),
            ("300 305 36 38 39", 14),
            ("3528 3589", 16),
            ("62", 16),
            ("6304 6759 6761", 16),
            ("4", 19),
        ]
    )
    return card(rng, prefixes, length)


def grouped(digits: str, gap: str) -> str:
    """Return the digits as cards print them."""
    sizes = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4,) * 4, 19: (4, 4, 4, 4, 3)}[len(digits)]
    groups, start = [], 0
    for size in sizes:
        groups.append(digits[start : start + size])
        start += size
    return gap.join(groups)


def iban(rng: random.Random) -> str:
    """Return an IBAN with right check digits."""
    country, form = rng.choice(
        [
            ("DE", "9" * 18),
            ("GB", "A" * 4 + "9" * 14),
            ("NL", "A" * 4 + "9" * 10),
            ("FR", "9" * 23),
            ("ES", "9" * 20),
            ("NO", "9" * 11),
            ("CH", "9" * 17),
            ("RO", "A" * 8 + "9" * 12),
        ]
    )
    body = "".join(rng.choice(string.digits if c == "9" else string.ascii_uppercase) for c in form)
    number = "".join(str(int(c, 36)) for c in body + country + "00")
    return f"{country}{98 - int(number) % 97:02}{body}"


def _fours(text: str, gap: str) -> str:
    return gap.join(text[i : i + 4] for i in range(0, len(text), 4))


def _pem(rng: random.Random, gap: str, head: str = "") -> str:
    kind = rng.choice(["", "RSA ", "EC ", "OPENSSH "]) + "PRIVATE " + "KEY-----"
    lines = [some(rng, _ALNUM + "+/", 64) for _ in range(4)]
    return gap.join(["-----BEGIN " + kind, *([head] if head else []), *lines, "-----END " + kind])


def _jwt(rng: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return ".".join(
        [part({"alg": "HS256"}), part({"sub": some(rng, _ALNUM, 8)}), some(rng, _URL, 43)]
    )


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _hidden(rng: random.Random, text: str) -> str:
    place = rng.randrange(2, len(text) - 2)
    return text[:place] + rng.choice("\u200b\u200d\u2060\ufeff\u00ad") + text[place:]


def _sk(rng: random.Random) -> str:
    return "sk" + "-" + some(rng, _ALNUM, 48)


_GO: dict[str, Make] = {
    "card": any_card,
    "card, spaces": lambda r: grouped(any_card(r), " "),
    "card, hyphens": lambda r: grouped(any_card(r), "-"),
    "card, dots": lambda r: grouped(any_card(r), "."),
    "card, no-break spaces": lambda r: grouped(any_card(r), "\u00a0"),
    "card, dashes": lambda r: grouped(any_card(r), "\u2013"),
    "card, full width": lambda r: _wide(any_card(r)),
    "card, zero width": lambda r: _hidden(r, any_card(r)),
    "IBAN": iban,
    "IBAN, words": lambda r: _fours(iban(r), " "),
    "IBAN, hyphens": lambda r: _fours(iban(r), "-"),
    "US SSN": lambda r: f"{r.randint(1, 665):03}-{r.randint(1, 99):02}-{r.randint(1, 9999):04}",
    "PEM": lambda r: _pem(r, "\n"),
    "PEM, headers": lambda r: _pem(r, "\n", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n"),
    "PEM, quoted": lambda r: _pem(r, "\n> "),
    "PEM, HTML": lambda r: _pem(r, "<br>"),
    "PEM, cut": lambda r: _pem(r, "\n")[:200],
    "JWT": _jwt,
    "sk-": _sk,
    "sk-, zero width": lambda r: _hidden(r, _sk(r)),
    "sk-proj-": lambda r: "sk-" + "proj-" + some(r, _URL, 120),
    "GitHub": lambda r: "gh" + r.choice("pousr") + "_" + some(r, _ALNUM, 36),
    "GitHub, fine-grained": lambda r: (
        "github" + "_pat_" + some(r, _ALNUM, 22) + "_" + some(r, _ALNUM, 59)
    ),
    "GitLab": lambda r: (
        "gl" + r.choice(["pat", "dt", "rt", "oas", "cbt", "ptt"]) + "-" + some(r, _URL, 20)
    ),
    "Slack": lambda r: (
        "xox" + r.choice("bp") + "-" + some(r, string.digits, 12) + "-" + some(r, _ALNUM, 24)
    ),
    "Slack, app": lambda r: (
        "xapp" + "-1-A" + some(r, string.digits, 10) + "-" + some(r, _ALNUM, 30)
    ),
    "Slack, webhook": lambda r: "https://hooks." + "slack.com/services/T" + some(r, _ALNUM, 30),
    "Stripe": lambda r: "sk" + "_live_" + some(r, _ALNUM, 24),
    "Stripe, webhook": lambda r: "whsec" + "_" + some(r, _ALNUM, 32),
    "npm": lambda r: "npm" + "_" + some(r, _ALNUM, 36),
    "PyPI": lambda r: "pypi" + "-AgEIcHlwaS5vcmc" + some(r, _URL, 120),
    "SendGrid": lambda r: "SG" + "." + some(r, _URL, 22) + "." + some(r, _URL, 43),
    "DigitalOcean": lambda r: "dop" + "_v1_" + some(r, "0123456789abcdef", 64),
    "Supabase": lambda r: "sbp" + "_" + some(r, "0123456789abcdef", 40),
    "Vercel": lambda r: "vcp" + "_" + some(r, _ALNUM, 24),
    "Telegram": lambda r: some(r, "123456789", 10) + ":" + "AA" + some(r, _URL, 33),
    "Twilio": lambda r: "SK" + some(r, "0123456789abcdef", 32),
    "Twilio, token": lambda r: "TWILIO_AUTH_" + "TOKEN=" + some(r, "0123456789abcdef", 32),
    "Vault": lambda r: "hvs" + "." + some(r, _URL, 24),
    "NVIDIA": lambda r: "nvapi" + "-" + some(r, _URL, 64),
    "Google": lambda r: "AIza" + some(r, _URL, 35),
    "Google OAuth": lambda r: "ya29" + "." + some(r, _URL, 100),
    "AWS": lambda r: "AKIA" + some(r, string.ascii_uppercase + string.digits, 16),
    "AWS, secret": lambda r: "aws_secret_access_" + "key = " + some(r, _ALNUM + "+/", 40),
    "Azure": lambda r: "Account" + "Key=" + some(r, _ALNUM + "+/", 86) + "==",
    "Azure, SAS": lambda r: "https://a.example/b?sv=1&" + "sig=" + some(r, _ALNUM, 43) + "%3D",
    "Bearer": lambda r: "Authorization: " + "Bearer " + some(r, _ALNUM, 40),
    "Basic": lambda r: (
        "Authorization: "
        + "Basic "
        + base64.b64encode(f"{some(r, _ALNUM, 8)}:{some(r, _ALNUM, 12)}".encode()).decode()
    ),
    "x-api-key": lambda r: "x-api-" + "key: " + some(r, _ALNUM, 32),
    "URL": lambda r: "postgres://user:" + some(r, _ALNUM, 12) + "@db.example/x",
    "URL, slash": lambda r: (
        "postgres://user:p" + some(r, _ALNUM, 6) + "/" + some(r, _ALNUM, 6) + "@db.example/x"
    ),
    "jdbc": lambda r: "jdbc:mysql://db.example/x?user=a&" + "password=" + some(r, _ALNUM, 12),
}


def _ean(rng: random.Random) -> str:
    digits = rng.choice(["400", "440", "500", "590", "300", "690"]) + some(rng, string.digits, 9)
    total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    return digits + str(-total % 10)


def _isbn(rng: random.Random) -> str:
    return "978-3-" + some(rng, string.digits, 5) + "-" + some(rng, string.digits, 3) + "-1"


def _log(rng: random.Random) -> str:
    return (
        f"2026-01-{rng.randint(10, 28)}T10:{rng.randint(10, 59)}:00.{some(rng, string.digits, 6)}Z"
        f" INFO worker[{rng.randint(1, 9999)}] GET /a/{rng.randint(1, 10**9)} 200"
        f" {rng.randint(1, 99999)} {rng.random():.6f} 10.0.{rng.randint(0, 255)}.1"
    )


_STAY: dict[str, Make] = {
    "decimals": lambda r: repr(r.random()),
    "large decimals": lambda r: repr(r.uniform(1, 10000)),
    "coordinates": lambda r: f"{r.uniform(47, 55):.14f}, {r.uniform(6, 15):.14f}",
    "sha256": lambda r: hashlib.sha256(r.randbytes(8)).hexdigest(),
    "git hashes": lambda r: r.randbytes(20).hex(),
    "hex ids": lambda r: r.randbytes(8).hex(),
    "UUID": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "EAN-13": _ean,
    "13 digits from 4": lambda r: str(r.randrange(4000000000000, 4999999999999)),
    "ISBN": _isbn,
    "IMEI": lambda r: luhn(r.choice(["35", "86", "01", "99"]) + some(r, string.digits, 12)),
    "snowflake ids": lambda r: str(r.randrange(10**17, 2 * 10**18)),
    "milliseconds": lambda r: str(r.randrange(1_600_000_000_000, 1_900_000_000_000)),
    "phone numbers": lambda r: "+49 170 " + some(r, string.digits, 7),
    "order numbers": lambda r: f"ORD-2026-{some(r, string.digits, 10)}",
    "numbers in long tokens": lambda r: f"a{any_card(r)}_{r.randint(1, 9)}",
    "paths with numbers": lambda r: "https://a.example/posts/" + any_card(r),
    "years": lambda r: " ".join(str(r.randint(1990, 2030)) for _ in range(12)),
    "base64": lambda r: base64.b64encode(r.randbytes(60)).decode(),
    "base64 that begins like a key": lambda r: f"{some(r, _ALNUM, 8)}/SK{some(r, _ALNUM, 60)}+",
    "base64, URL": lambda r: base64.urlsafe_b64encode(r.randbytes(60)).decode(),
    "minified code": lambda r: "".join(
        r.choice(["a.b(c),", "!function(){", "return e[0x1f]}", "var t=4e3,n=5.25e-7;", "u=u||{};"])
        for _ in range(20)
    ),
    "log lines": _log,
    "prose": lambda r: " ".join(r.choice(_WORDS) for _ in range(60)),
    "slugs": lambda r: "sk-" + "-".join(r.choice(_WORDS) for _ in range(6)),
    "call ids": lambda r: "call_" + some(r, _ALNUM, 24),
    "dates": lambda r: f"{r.randint(1990, 2030)}-{r.randint(10, 12)}-{r.randint(10, 28)}",
    "accents and emoji": lambda r: (
        "Ça coûte 12\u00a0000\u202f€ — «\u00a0oui\u00a0» ⚠️ " + r.choice("①½²ﬁ")
    ),
}


def must_go(samples: int = SAMPLES) -> Iterator[tuple[str, list[Secret]]]:
    """Yield each class with its texts, as they may stand in a chat."""
    for name, make in _GO.items():
        rng = random.Random(name)
        texts = []
        for _ in range(samples):
            secret = make(rng)
            front = rng.choice(["", "it is ", "key: ", "\n", '{"a":"', "x\\n", "(", "“"])
            behind = rng.choice(["", " and more", "\n", '"}', ", then", ". So", ")"])
            gone = secret.partition("user:")[2].partition("@")[0] or secret
            texts.append(Secret(front + secret + behind, gone))
        yield name, texts


def must_stay(samples: int = SAMPLES) -> Iterator[tuple[str, list[str]]]:
    """Yield each class with its texts."""
    for name, make in _STAY.items():
        rng = random.Random(name)
        yield name, ["a " + make(rng) + rng.choice([" b", ".", ", b"]) for _ in range(samples)]
