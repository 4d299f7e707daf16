"""What a selection did not find, in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_GLOBS: Final = frozenset({"--function", "--exclude", "--source"})
_MOST_LINES: Final = 8


def unmatched_lines(unmatched: Sequence[tuple[str, str]], *, selected: int, seen: int) -> Iterator[str]:
    """Each value that matches no mapping, with what may have gone wrong.

    Args:
        unmatched: flags and values.
        selected: how many mappings are selected.
        seen: how many were looked through.
    """
    if not seen and not selected:
        yield "warning: there is no event source mapping at all: is that the right --region and --profile?"
        return
    for flag, value in unmatched[:_MOST_LINES]:
        yield f"warning: {flag} {shlex.quote(value)} matches none of {seen:,} mappings{_hint(flag, value)}"
    if len(unmatched) > _MOST_LINES:
        yield f"warning: and {len(unmatched) - _MOST_LINES:,} more values match none"
    if not selected and not unmatched:
        yield f"warning: each flag matches some of {seen:,} mappings, but all flags together none"


def expanded_hint(words: Sequence[str]) -> str:
    """That the shell put names of files in the place of a glob, if all words are some; else nothing."""
    if words and all(_is_a_file(word) for word in words):
        return f" ({words[0]} is a file here: if the shell expanded a glob, quote it, such as --function 'orders-*')"
    return ""


def _hint(flag: str, value: str) -> str:
    from bulk_esm.model.expressions import impossible

    if flag == "--where" and (why := impossible(value)) is not None:
        return f" ({why})"
    if flag not in _GLOBS:
        return ""
    if hint := expanded_hint([value]):
        return hint
    if not set(value) & set("*?["):
        return f" (a glob matches the whole of a name: '*{value}*' finds it anywhere in one)"
    return ""


def _is_a_file(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False
