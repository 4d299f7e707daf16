"""Why a run sends nothing more, and what its status is then: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from bulk_esm.model.records import RunStatus
from bulk_esm.model.result import Outcome

INTERRUPTED_CODE: Final = "Interrupted"


class Stop(msgspec.Struct, frozen=True):
    """Why nothing more is sent.

    Attributes:
        status: `halted`, `deadline` or `interrupted`.
        reason: in words for the user.
    """

    status: RunStatus
    reason: str


def status_of(stop: Stop | None, counts: Mapping[Outcome, int], *, cut_short: int, bakes: bool = False) -> RunStatus:
    """How a run stands at its end.

    Args:
        stop: why it was stopped, if it was.
        counts: results by outcome.
        cut_short: how many accepted updates were not waited for to the end.
        bakes: whether its bake was not over.

    Returns:
        A halt stays one whatever was left to do. An interruption or a deadline that came when all had been sent, and
        all of that was seen through, the bake too, cut nothing.
    """
    if stop is None:
        return RunStatus.FINISHED
    if stop.status is RunStatus.HALTED or counts.get(Outcome.NOT_STARTED) or cut_short or bakes:
        return stop.status
    return RunStatus.FINISHED
