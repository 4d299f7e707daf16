"""How an item ends, in words for the user; and whether an update that may have arrived is sent again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from bulk_esm.clock import iso
from bulk_esm.engine.settling import Asked, Verdict, missing_text
from bulk_esm.engine.waits import Settlement
from bulk_esm.errors import DeniedError, ServiceError
from bulk_esm.model.changed import is_known, others_hand, what_changed
from bulk_esm.model.denials import DENIED_CODE, missing_statement
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import NOTHING_OWN, Action, PlanItem, PlanMatch, changed_by_others, changed_members, match_plan
from bulk_esm.model.result import ErrorRecord, Outcome

_NO_FUNCTION: Final = "Function does not exist"


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a look has told of an item that an earlier part of its run may have sent.

    Attributes:
        state: the mapping's; None if it is gone.
        settled_at: when it was seen at rest as asked, ISO 8601 in UTC, or None.
        accepted_at: when Lambda accepted the update, as that part of the run recorded it; None where it did not.
        update_calls: how many updates that part recorded to have sent.
    """

    state: str | None
    settled_at: str | None = None
    accepted_at: str | None = None
    update_calls: int = 0


class Ending(msgspec.Struct, frozen=True):
    """An outcome, why if it is not a good one, and what was seen if nothing is sent after a look."""

    outcome: Outcome
    error: ErrorRecord | None = None
    seen: Seen | None = None


def without_sending(item: PlanItem) -> Ending:
    """The end of an item for which nothing is to be sent."""
    if item.action is Action.UNCHANGED:
        return Ending(Outcome.UNCHANGED)
    return Ending(Outcome.BLOCKED, ErrorRecord(code="Blocked", message="; ".join(item.problems)))


def found_done() -> Ending:
    """The end of an item that an earlier part of this run applied, as a look at it shows."""
    return Ending(Outcome.UPDATED)


def still_on_its_way(state: str | None) -> Ending:
    """The end of an item that did not come to rest, perhaps after an update of an earlier part of this run.

    Args:
        state: as last seen.
    """
    what = f"the mapping is {state} and did not come to rest; continue the run when it has"
    return Ending(Outcome.TIMED_OUT, ErrorRecord(code="TimedOut", message=what))


def failed(error: ServiceError, item: PlanItem, *, perhaps_applied: bool = False) -> Ending:
    """The end of an item that Lambda refused; or, if its update may have been applied, that could not be looked at.

    The latter has not failed for sure: whoever puts back what a run did must find it among that. What was not found is
    the mapping, unless the request names a function that may be meant.
    """
    if error.code == "ResourceNotFoundException" and "FunctionName" not in item.request:
        return gone()
    if not perhaps_applied:
        what = _refusal(error, item)
        return Ending(Outcome.FAILED, ErrorRecord(code=error.code, message=what, request_id=error.request_id))
    what = f"the update was sent, but looking what became of it failed: {error.message}"
    return Ending(Outcome.TIMED_OUT, ErrorRecord(code=error.code, message=what, request_id=error.request_id))


def denied(error: DeniedError, item: PlanItem, *, perhaps_applied: bool = False) -> Ending:
    """The end of an item that these credentials may not update, or of one of which they may not see what became.

    Args:
        error: the refusal.
        item: the item.
        perhaps_applied: whether its update was accepted, or may have been.
    """
    what = missing_statement(error.action, item.before.arn_in_policies, said=error.said)
    if perhaps_applied:
        what = f"the update was sent, and what became of it only Get tells, which is not permitted: {what}"
    outcome = Outcome.TIMED_OUT if perhaps_applied else Outcome.FAILED
    return Ending(outcome, ErrorRecord(code=DENIED_CODE, message=what, request_id=error.request_id))


def _refusal(error: ServiceError, item: PlanItem) -> str:
    """Lambda's words, and what to do where they do not say it."""
    if error.code == "ResourceConflictException":
        # Its text names the other mapping; it is so until one of the two changes (F§0.2).
        return (
            f"{error.message} To send it again does not help: delete that mapping or give it another function, or "
            "choose another function or alias for this one"
        )
    if error.code == "InvalidParameterValueException" and _NO_FUNCTION in error.message:
        if asked := item.request.get("FunctionName"):
            return f"{error.message} (asked for was {asked}): create it, or choose a function or alias that exists"
        # Whatever is sent, every update is refused while that is so (F§0.2).
        return (
            f"{error.message}: the function or alias {item.function_arn} is gone, so Lambda refuses every update of "
            "the mapping, and it cannot even be paused, until it is created again; or delete the mapping"
        )
    return error.message


def unread_item(item: PlanItem, error: DeniedError) -> PlanItem:
    """The item of a mapping to which nothing is sent, as only Get tells what it is, and may not.

    Args:
        item: what would be done about it.
        error: the refusal.
    """
    why = f"only Get tells what it is: {missing_statement(error.action, item.before.arn_in_policies, said=error.said)}"
    return msgspec.structs.replace(item, action=Action.BLOCKED, request={}, diff=(), problems=(why,))


def internal_error(bug: Exception, *, perhaps_applied: bool) -> Ending:
    """The end of an item that met a bug of ours."""
    what = f"{type(bug).__name__}: {bug}; please report this"
    outcome = Outcome.TIMED_OUT if perhaps_applied else Outcome.FAILED
    return Ending(outcome, ErrorRecord(code="InternalError", message=what))


def cut_short(*, perhaps_applied: bool, accepted: bool, why: ErrorRecord | None = None) -> Ending:
    """The end of an item that was not seen through: as if never started, unless its update may have been applied."""
    if not perhaps_applied:
        return Ending(Outcome.NOT_STARTED, why)
    sent = "accepted" if accepted else "sent"
    interrupted = ErrorRecord(code="Interrupted", message=f"the update was {sent}; what became of it was not seen")
    return Ending(Outcome.TIMED_OUT, why or interrupted)


def after_settling(settlement: Settlement, asked: Asked, *, waited_s: float) -> Ending:  # noqa: PLR0911 - a table
    """The end of an item whose update was accepted.

    Args:
        settlement: how the wait for it ended.
        asked: what was asked.
        waited_s: how long it was waited for, in seconds.
    """
    seen = settlement.mapping
    match settlement.verdict:
        case Verdict.SETTLED:
            return Ending(Outcome.UPDATED)
        case Verdict.GONE:
            return gone()
        case Verdict.CHANGED if seen:
            return changed(missing_text(asked, seen))
        case Verdict.NOT_APPLIED if seen:
            what = f"the update was accepted, but the mapping is at rest as before: {missing_text(asked, seen)}"
            return Ending(Outcome.FAILED, ErrorRecord(code="NotApplied", message=what))
        case _ if settlement.denied and (seen is None or seen.at_rest):
            return denied(settlement.denied, asked.item, perhaps_applied=True)
        case _ if settlement.failure:
            return failed(settlement.failure, asked.item, perhaps_applied=True)
        case _:
            what = f"accepted, but still {_last_seen(settlement)} after {waited_s:.0f} s; look again later"
            return Ending(Outcome.TIMED_OUT, ErrorRecord(code="TimedOut", message=what))


def _last_seen(settlement: Settlement) -> str:
    if settlement.mapping:
        return settlement.mapping.state
    if settlement.stale is None:
        return "not seen"
    # What we take for an old picture rests on how precise we think LastModified is (`model.stamps`): say what it was.
    modified = datetime.fromtimestamp(settlement.stale.last_modified, UTC)
    return f"shown by Get as of before the update ({settlement.stale.state}, LastModified {iso(modified)})"


def after_doubt(
    item: PlanItem, seen: EventSourceMapping | None, *, in_doubt: bool, failure: ServiceError
) -> Ending | None:
    """Decide about an update that was not accepted for sure, from a look at the mapping at rest.

    1. The mapping is gone, or no longer as it was planned: a conflict.
    2. It is as it was planned: no update arrived, so sending it again is safe.
    3. It has all that was asked for: ours if one of ours may have arrived, else someone else's.

    Args:
        item: the item of the plan.
        seen: the mapping as the look shows it; None if it does not exist.
        in_doubt: whether an update of ours may have arrived although no answer said so.
        failure: why it was not accepted for sure.

    Returns:
        The end of the item, or None to send again.
    """
    if seen is None:
        return gone()
    if not seen.at_rest:
        what = f"the mapping stayed {seen.state}, so no update was accepted ({failure.message})"
        return Ending(Outcome.TIMED_OUT, ErrorRecord(code=failure.code, message=what, request_id=failure.request_id))
    match match_plan(item, seen):
        case PlanMatch.AS_PLANNED:
            return None
        case PlanMatch.DONE:
            return Ending(Outcome.UPDATED if in_doubt else Outcome.UNCHANGED)
        case PlanMatch.CHANGED:
            return changed(since_planned(item, seen))


def before_sending(item: PlanItem, seen: EventSourceMapping, *, in_doubt: bool) -> Ending | None:
    """Decide about an update that was planned a while ago, from a look at the mapping now.

    Args:
        item: the item of the plan.
        seen: the mapping. In transition it is left to Lambda, which refuses updates then.
        in_doubt: whether an earlier part of this run may have sent it, so that what is done may be its own.

    Returns:
        The end of the item, or None to send. What this version does not know is no reason not to.
    """
    if not seen.at_rest:
        return None
    match match_plan(item, seen):
        case PlanMatch.DONE:
            return None if in_doubt else Ending(Outcome.UNCHANGED)
        case PlanMatch.CHANGED if any(map(is_known, changed_members(item.before, seen))):
            return changed(since_planned(item, seen))
        case _:
            return None


def noted(ending: Ending, item: PlanItem, names: Iterable[str], seen: EventSourceMapping | None) -> Ending:
    """The end of an item with what an answer has shown of somebody else's hand, if it is still there.

    Args:
        ending: the end.
        item: the item.
        names: the members that were not as planned.
        seen: the mapping as it was seen last.
    """
    if ending.error is not None or seen is None:
        return ending
    still = set(names).intersection(others_hand(item, seen))
    if not still:
        return ending
    what = f"{what_changed(item.before, seen, sorted(still))}; that was left as it is"
    return Ending(ending.outcome, changed(what).error)


def since_planned(item: PlanItem, seen: EventSourceMapping, *, own: Mapping[str, Any] = NOTHING_OWN) -> str:
    """What someone changed since an item was planned, and what to do.

    Args:
        item: the item.
        seen: the mapping as it is now.
        own: what runs of ours set since, by parameter.
    """
    return f"{what_changed(item.before, seen, changed_by_others(item, seen, own=own))}; plan it anew"


def gone() -> Ending:
    """The end of an item whose mapping does not exist any more."""
    what = "someone deleted the mapping meanwhile"
    return Ending(Outcome.CONFLICT, ErrorRecord(code="ResourceNotFoundException", message=what))


def gone_item(item: PlanItem) -> PlanItem:
    """The item of a mapping that does not exist any more.

    Args:
        item: as an earlier run planned it.
    """
    what = ("the mapping does not exist any more",)
    return msgspec.structs.replace(item, action=Action.UNCHANGED, state=None, request={}, diff=(), problems=what)


def changed(what: str) -> Ending:
    """The end of an item that someone else changed.

    Args:
        what: what differs, and what to do.
    """
    message = f"someone else changed the mapping meanwhile: {what}"
    return Ending(Outcome.CONFLICT, ErrorRecord(code="ChangedMeanwhile", message=message))
