"""What gates' answers mean for a run, when they are asked again, and the least time that all of it takes: pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

import msgspec

from bulk_esm.model.rollout import OnInconclusive

CHECKS_IN_A_SOAK: Final = 4  # at least


class Inconclusive(msgspec.Struct, frozen=True):
    """A gate's answer that it cannot tell yet, so that it is asked again.

    Attributes:
        reason: why.
        needs_s: how long it takes in any case before it could tell, in seconds; only then it is inconclusive.
    """

    reason: str
    needs_s: float = 0.0


class Closed(msgspec.Struct, frozen=True):
    """A gate's answer that what comes next must wait, for as long as there is time.

    Attributes:
        reason: why, and until when.
    """

    reason: str


# Why the run must halt; that this cannot be told; that it must wait; or that all is well.
GateAnswer = str | Inconclusive | Closed | None


class Step(IntEnum):
    """What a run does: of several the highest."""

    GO = 0
    WAIT = 1
    HALT = 2


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate's answer means.

    Attributes:
        step: what the run does.
        reason: why it waits or halts, or goes on without an answer; None if all is well.
        since: since when the gate has been inconclusive, by the clock, or will be; None if it is not.
    """

    step: Step
    reason: str | None = None
    since: float | None = None


WELL: Final = Judgement(step=Step.GO)


def judged(
    answer: GateAnswer,
    *,
    asked_at: float,
    now: float,
    since: float | None,
    most_s: float,
    then: OnInconclusive,
    may_wait: bool = False,
) -> Judgement:
    """What a gate's answer means.

    Args:
        answer: what it said.
        asked_at: when it was asked, by the clock.
        now: when it answered.
        since: since when it has been inconclusive, from its last judgement; or None.
        most_s: how long it may be so, in seconds.
        then: what a run does after that.
        may_wait: whether a run waits for what is closed, as a deadline ends that; else it halts.
    """
    if answer is None:
        return WELL
    if isinstance(answer, Closed):
        return Judgement(step=Step.WAIT if may_wait else Step.HALT, reason=answer.reason)
    if not isinstance(answer, Inconclusive):
        return Judgement(step=Step.HALT, reason=answer)
    if answer.needs_s:
        since = now + answer.needs_s
    elif since is None:
        since = asked_at
    if now - since < most_s:
        return Judgement(step=Step.WAIT, reason=answer.reason, since=since)
    step = Step.HALT if then == "halt" else Step.GO
    return Judgement(step=step, reason=f"inconclusive for {now - since:.0f} s: {answer.reason}", since=since)


def combined(judgements: Iterable[Judgement]) -> Judgement:
    """What several gates come to: the first of those that ask for most.

    Args:
        judgements: in the order in which the gates were asked; all is well if there are none.
    """
    return max(judgements, key=lambda one: one.step, default=WELL)


def next_ask_s(left_s: float, soak_s: float, interval_s: float) -> float:
    """In how many seconds gates are asked again.

    Args:
        left_s: what is left of a soak; 0 or less if only an inconclusive gate is waited for.
        soak_s: how long that is in all.
        interval_s: how often gates are asked.
    """
    return interval_s if left_s <= 0 else min(left_s, soak_s / CHECKS_IN_A_SOAK, interval_s)


def least_s(*, sending_s: float, ramp_s: float, soaks: int, soak_s: float, bake_s: float, opens_in_s: float) -> float:
    """The least time that a run takes, in seconds.

    Args:
        sending_s: the least time that its requests take.
        ramp_s: over which they are spread.
        soaks: how many soaks there are.
        soak_s: how long each is.
        bake_s: how long it is watched at its end.
        opens_in_s: when its window opens.
    """
    return max(0.0, opens_in_s) + max(sending_s, ramp_s) + soaks * soak_s + bake_s
