"""What may halt a run between waves, and while soaking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from bulk_esm.model.result import Outcome


class WaveEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands between two waves.

    Attributes:
        wave: the wave that has ended, from 1.
        waves: how many there are.
        next_updates: how many updates the next wave has.
        outcomes: results so far, by outcome.
    """

    wave: int
    waves: int
    next_updates: int
    outcomes: Mapping[Outcome, int]


class Gate(Protocol):
    """Something that may halt a run."""

    async def check(self, end: WaveEnd | None) -> str | None:
        """Say why the run must halt, or None.

        Args:
            end: how the run stands between two waves; None before the first.
        """
