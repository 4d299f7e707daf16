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


_MOST_NAMED: Final = 3


def with_halted_shards(
    status: RunStatus, reason: str | None, halted: Mapping[str, str], *, shards: int
) -> tuple[RunStatus, str | None]:
    """How a run stands at its end some of whose shards were halted alone, and why.

    Args:
        status: how it stands otherwise.
        reason: why.
        halted: why each of those was, by its name.
        shards: how many the run has.

    Returns:
        It is halted, so that it is continued or put back; but what the user did, or a halt of all, says more.
    """
    if not halted or status in {RunStatus.HALTED, RunStatus.INTERRUPTED}:
        return status, reason
    return RunStatus.HALTED, f"halted {in_shards(halted, shards=shards)}"


def in_shards(reasons: Mapping[str, str], *, shards: int, most: int = _MOST_NAMED) -> str:
    """Reasons of shards in words, of the first few.

    Args:
        reasons: why, by the shard's name; at least one.
        shards: how many there are in all.
        most: how many are named.
    """
    if shards == 1:
        return next(iter(reasons.values()))
    named = "; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:most])
    more = f"; and {len(reasons) - most:,} more" if len(reasons) > most else ""
    return f"in {len(reasons):,} of {shards:,} shards: {named}{more}"


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
