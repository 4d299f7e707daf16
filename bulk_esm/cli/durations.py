"""Durations as people write them: `90s`, `15m`, `2h`, `1d`."""

from __future__ import annotations

import re
from typing import Final

from bulk_esm.errors import UsageError

_UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_duration(text: str, flag: str = "") -> float:
    """Read a duration.

    Returns:
        The duration in seconds.

    Raises:
        UsageError: it is not a duration above 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if not found or not float(found[1]):
        raise UsageError(f"{flag} {text!r} is not a duration; write it like 90s, 15m, 2h or 1d".lstrip())
    return float(found[1]) * _UNITS_S[found[2]]


def format_duration(seconds: float) -> str:
    """Show a duration as a clock does: `0:07`, `2:14`, `1:02:03`."""
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
