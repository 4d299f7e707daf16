"""Text from outside, as it may be shown: what would move a cursor, hide or turn around other text is escaped."""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for tabs and ends of lines: ESC, CR, C1 with its CSI
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what changes the direction of text
    r"\u2028\u2029"  # ends of lines to some
    r"\ud800-\udfff"  # halves of characters, which no encoding takes
)
_IN_TEXT: Final = re.compile(f"[{_UNSEEN}]")
_IN_A_LINE: Final = re.compile(rf"[{_UNSEEN}\t\n]")


def escaped(text: str) -> str:
    r"""Show such characters as JSON would, `\u001b`, in text of several lines.

    Args:
        text: whatever it may be. What is escaped already stays as it is.
    """
    return _IN_TEXT.sub(_escape, text)


def escaped_line(text: str) -> str:
    """Likewise in text of one line, such as a table's cell, of which it can make no more.

    Args:
        text: whatever it may be.
    """
    return _IN_A_LINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def shortened(text: str, most: int = 300) -> str:
    """Text from outside in one line, its end too: what a program or a server says first and last tells most.

    Args:
        text: whatever it may be.
        most: how many characters.
    """
    line = escaped_line(" ".join(text.split()))
    half = (most - 5) // 2
    return line if len(line) <= most else f"{line[:half]} ... {line[-half:]}"
