"""Which mappings a run paused: pure, from its plan and its results."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from bulk_esm.model.mapping import State
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result


def paused_by(
    items: Iterable[PlanItem], results: Iterable[Result], begun: AbstractSet[str] | None = None
) -> frozenset[str]:
    """Tell which mappings were enabled before a run and were told by it to pause.

    What the run found disabled, did not get to, or was refused is not in it: whoever disabled that, it was not this
    run. A mapping without a result (the run was killed) or one that had not settled in time may well be paused: it
    was enabled before, so enabling it puts back what was.

    Args:
        items: the run's plan.
        results: the run's results.
        begun: to which mappings something may have been sent; None where that is not known, and so may be to all.

    Returns:
        The UUIDs.
    """
    outcomes = {result.uuid: result.outcome for result in results}
    touched = None if begun is None else begun | outcomes.keys()
    return frozenset(
        item.uuid
        for item in items
        if item.action is Action.UPDATE
        and item.request.get("Enabled") is False
        and (touched is None or item.uuid in touched)
        and outcomes.get(item.uuid, Outcome.TIMED_OUT) in {Outcome.UPDATED, Outcome.TIMED_OUT}
    )


def still_paused(runs: Iterable[tuple[str, frozenset[str], Iterable[Result]]]) -> dict[str, frozenset[str]]:
    """Tell which mappings are still paused by which run.

    Args:
        runs: name, what it paused (from `paused_by`) and results of each, the oldest first.

    Returns:
        By the name of the last run that paused them, the UUIDs of those that no later run resumed, found enabled, or
        found deleted.
    """
    pausing: dict[str, str] = {}
    for name, paused, results in runs:
        pausing.update(dict.fromkeys(paused, name))
        for result in results:
            if result.uuid not in paused and _is_paused_no_more(result):
                pausing.pop(result.uuid, None)
    return {name: frozenset(uuid for uuid in pausing if pausing[uuid] == name) for name in set(pausing.values())}


def _is_paused_no_more(result: Result) -> bool:
    """Whether a run left a mapping enabled, or found it so, or found it gone."""
    if result.outcome is Outcome.CONFLICT:
        return result.error is not None and result.error.code == "ResourceNotFoundException"
    if result.outcome is Outcome.UPDATED and result.request.get("Enabled") is True:
        return True
    return result.outcome in {Outcome.UPDATED, Outcome.UNCHANGED} and result.state == State.ENABLED
