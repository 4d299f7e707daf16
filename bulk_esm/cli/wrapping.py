"""Messages on a terminal: wrapped at words, with commands to paste whole on a line of their own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_HANGING: Final = 2
_COMMAND: Final = re.compile(r"(?:^ *|(?<=: )|(?<= with )|(?<=then ))(?:\$ )?bulk-esm [a-z]")
_LEAST: Final = 20  # narrower than this nothing is gained


def wrapped(text: str, width: int) -> str:
    """A text in lines that are no longer than the width, as far as its words allow.

    Args:
        text: of one line or several; how far a line is indented is kept, and what is wrapped hangs two spaces further.
            So are spaces at its end, after which one answers.
        width: of a line.
    """
    end = text[len(text.rstrip(" ")) :]
    return "\n".join(line for whole in text.rstrip(" ").split("\n") for line in _lines(whole, width)) + end


def _lines(line: str, width: int) -> Iterator[str]:
    if width < _LEAST or _wide(line) <= width:
        yield line
        return
    indent = line[: len(line) - len(line.lstrip(" "))]
    starts = [found.start() for found in _COMMAND.finditer(line)]
    command = line[starts[-1] :] if starts else ""  # what ends a line is there to be pasted
    before = line[: len(line) - len(command)]
    if before.strip():
        yield from _at_words(before.strip(), indent, width)
        indent += " " * _HANGING
    if command:
        yield f"{indent}{command.lstrip(' ')}"


def _at_words(text: str, indent: str, width: int) -> Iterator[str]:
    line, hanging = indent, indent + " " * _HANGING
    for word in text.split(" "):
        if line.strip() and _wide(line) + 1 + _wide(word) > width:
            yield line.rstrip()
            line = hanging
        line += word if not line.strip() else f" {word}"
    yield line


def _wide(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
