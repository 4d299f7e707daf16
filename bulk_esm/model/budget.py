"""The failure budget: how many mappings may fail before a run halts, and how many may be on their way meanwhile."""

from __future__ import annotations

import math
from typing import Final

from bulk_esm.model.amounts import Amount

DEFAULT_SHARE: Final = Amount("1%")
DEFAULT_LEAST: Final = 5
UNLIMITED_BELOW: Final = 20  # updates: a person sees all of them


def most_failures(asked: Amount | None, *, updates: int, in_waves: bool) -> int | None:
    """How many mappings may fail before a run halts, of all that it updates and not of a wave.

    Args:
        asked: what the user said, if anything.
        updates: how many mappings the run updates.
        in_waves: whether it goes in waves.

    Returns:
        The number; None for any number, as in a small run without waves where nothing was said.
    """
    if asked is not None:
        return asked.of(updates)
    if not in_waves and updates < UNLIMITED_BELOW:
        return None
    return max(DEFAULT_LEAST, DEFAULT_SHARE.of(updates))


def is_exceeded(most: int | None, failures: int) -> bool:
    """Whether a run has to halt."""
    return most is not None and failures > most


def spares_denials(most: int | None) -> bool:
    """Whether refusals for want of permission do not count while none was accepted in their shard.

    Ten of them tell a role that may nothing, which ends the shard, from mappings that are denied one by one, which
    count. Whoever allows fewer failures than any default does wants the run to halt before.

    Args:
        most: the budget.
    """
    return most is not None and most >= DEFAULT_LEAST


def places_left(most: int | None, failures: int) -> float:
    """How many updates may wait for their answer at once.

    With `most - failures + 1` of them, even if Lambda refused every one the budget would be exceeded by one at most.

    Args:
        most: the budget.
        failures: failures so far.

    Returns:
        At least 1: a run whose budget is exceeded halts anyway. Infinite where there is no budget.
    """
    return math.inf if most is None else max(1, most - failures + 1)


def shares_of(places: int, workers: int, *, turn: int) -> list[int]:
    """Part the places among workers elsewhere, who cannot ask for each.

    Args:
        places: how many updates of all of them may be on their way.
        workers: how many of them have something to send.
        turn: a number that grows, so that everybody's turn comes where there are fewer places than workers.

    Returns:
        For each worker a number; they add up to `places`.
    """
    if not workers:
        return []
    each, more = divmod(places, workers)
    return [each + ((worker - turn) % workers < more) for worker in range(workers)]


def budget_line(most: int | None) -> str:
    """The budget in words, for the summary of a plan."""
    if most is None:
        return "no failure budget: it goes on whatever fails"
    if most == 0:
        return "halts at the first failure; what was accepted by then is waited for, and may add to it"
    return (
        f"halts when more than {most:,} fail: Lambda can refuse {most + 1:,} at the most; what was accepted by then is "
        "waited for, and may add to it"
    )
