"""What may halt a run: before anything is sent, meanwhile, between waves, and in the bake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from bulk_esm.model.gating import GateAnswer
from bulk_esm.model.result import Outcome

Stage = Literal["before", "during", "between", "bake"]


class WaveEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands when a gate is asked.

    Attributes:
        wave: the wave that has ended, or that is under way, from 1; 0 before the first.
        waves: how many there are.
        next_updates: how many updates the next wave has, or, of one that is under way, it has in all.
        outcomes: results so far, by outcome.
        stage: whether it is asked before the first wave, during one, between two, or in the bake after the last.
    """

    wave: int
    waves: int
    next_updates: int
    outcomes: Mapping[Outcome, int]
    stage: Stage = "between"

    def halted(self, reason: str) -> str:
        """A reason to halt, with when that was."""
        when = {
            "before": "before the first update",
            "during": f"in wave {self.wave}",
            "between": f"after wave {self.wave}",
            "bake": "in the bake",
        }
        return f"{when[self.stage]}, {reason}"


class Gate(Protocol):
    """Something that may halt a run."""

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        """Say why the run must halt, that this cannot be told yet (`Inconclusive`), or None if all is well.

        Args:
            end: how the run stands; None before there is one.
        """
