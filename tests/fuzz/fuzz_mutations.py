"""What chance makes of a valid document: bytes, lines, and JSON values of other types at any depth."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

# Each has broken some reader of JSON, YAML, TOML or text.
TEXTS: Final = (
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "null",
    "true",
    "\x00",
    "\x1b[31m",
    "\x85",
    "\u2028",
    "\ufeff",
    "\ud800",
    "\udfff\ud800",
    "../../etc",
    "/",
    "..",
    "*",
    "[",
    "{}",
    "x" * 300,
    "e\u0301\u202e",
    "2024-02-30",
    "!!python/object:os.system",
)
VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    -(2**63) - 1,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"a": {"a": []}},
    *TEXTS,
)
BYTES: Final = (
    b"\x00", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\r", b"\r\n", b"\n", b"\x0b", b"\x1b]0;x\x07", b"\\ud800", b'"',
    b"{", b"]", b",", b"\t", b"\xef\xbb\xbf", b"&a [*a]", b"!!timestamp 2024-02-30", b"<<: 1", b"# ", b"- ", b": ",
)  # fmt: skip
_DEEP: Final = (60, 200, 990, 5_000, 20_000)


def mutated(content: bytes, random: Random) -> bytes:
    """A document after one to four accidents."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        content = random.choice(_ACCIDENTS)(content, random)
    return content


def mutated_json(content: bytes, random: Random) -> bytes:
    """A JSON document, or one of several lines, in which a value at some depth is another; else `mutated`."""
    lines = content.split(b"\n")
    place = random.randrange(len(lines))
    try:
        value = json.loads(lines[place])
    except ValueError:
        return mutated(content, random)
    for _ in range(random.choice((1, 1, 2, 3))):
        value = swapped(value, random)
    lines[place] = encoded(value, random)
    return b"\n".join(lines)


def encoded(value: Any, random: Random) -> bytes:
    """JSON in ASCII, or in what Python would make of UTF-8."""
    return json.dumps(value, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def swapped(value: Any, random: Random) -> Any:
    """The same JSON value, but that somewhere in it one is of another type, missing, twice, or moved."""
    paths = list(_paths(value))
    path = random.choice(paths)
    return _at(value, path, lambda old: _other(old, value, paths, random))


def _other(old: Any, whole: Any, paths: list[tuple[Any, ...]], random: Random) -> Any:
    found = random.choice(VALUES)
    match random.randrange(7), old:
        case 0, dict() if old:
            gone = random.choice(list(old))
            found = {name: member for name, member in old.items() if name != gone}
        case 1, dict():
            found = {**old, random.choice(TEXTS): random.choice(VALUES)}
        case 2, list():
            found = [*old, *(old[:1] or [random.choice(VALUES)])]
        case 3, _:
            found = random.choice(([old], {"a": old}, json.dumps(old)))
        case 4, _:
            found = _of(whole, random.choice(paths))  # a value of elsewhere
        case 5, str():
            at = random.randrange(len(old) + 1)
            found = old[:at] + random.choice(TEXTS) + old[at:]
    return found


def _paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [before]
    if isinstance(value, dict):
        for name, member in value.items():
            found += _paths(member, (*before, name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            found += _paths(member, (*before, number))
    return found


def _of(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _at(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    step, *rest = path
    if isinstance(value, dict):
        return {name: _at(member, tuple(rest), change) if name == step else member for name, member in value.items()}
    return [_at(member, tuple(rest), change) if number == step else member for number, member in enumerate(value)]


# Accidents to bytes


def _flip(content: bytes, random: Random) -> bytes:
    if not content:
        return b"\x01"
    at = random.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :]


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _cut_head(content: bytes, random: Random) -> bytes:
    return content[random.randrange(len(content) + 1) :]


def _insert(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.choice(BYTES) + content[at:]


def _insert_text(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.choice(TEXTS).encode("utf-8", "surrogatepass") + content[at:]


def _span(content: bytes, random: Random) -> tuple[int, int]:
    begin = random.randrange(len(content) + 1)
    return begin, min(len(content), begin + random.randrange(40))


def _twice(content: bytes, random: Random) -> bytes:
    begin, end = _span(content, random)
    return content[:end] + content[begin:end] + content[end:]


def _less(content: bytes, random: Random) -> bytes:
    begin, end = _span(content, random)
    return content[:begin] + content[end:]


def _line_twice(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at = random.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


def _line_less(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at = random.randrange(len(lines))
    return b"".join([*lines[:at], *lines[at + 1 :]])


def _lines_shuffled(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    random.shuffle(lines)
    return b"".join(lines)


def _deep(content: bytes, random: Random) -> bytes:
    at, depth = random.randrange(len(content) + 1), random.choice(_DEEP)
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"- ", b""), (b"a = [", b"]")))
    return content[:at] + opening * depth + closing * random.choice((0, depth)) + content[at:]


def _emptied(_: bytes, random: Random) -> bytes:
    return random.choice((b"", b"\n", b"\xff\xfe", b"null", b"[]", b"{}", b"0", b'""', b"\x00" * 100))


_ACCIDENTS: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (
    _flip,
    _flip,
    _cut,
    _cut_head,
    _insert,
    _insert,
    _insert_text,
    _twice,
    _less,
    _line_twice,
    _line_less,
    _lines_shuffled,
    _deep,
    _emptied,
)
