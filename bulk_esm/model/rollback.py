"""What puts back what a run changed: the inverse of each item of its plan. Pure.

Three configurations meet here: the mapping before the run, as its plan has it; what the run asked for; and what is
there now. What someone else changed meanwhile is a conflict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec

from bulk_esm.model.api_shape import known, shape_at
from bulk_esm.model.changed import change_of
from bulk_esm.model.combinations import cross_field_problems
from bulk_esm.model.differences import differences_of
from bulk_esm.model.doubts import perhaps_sent
from bulk_esm.model.filters import FILTERS, KEY, is_unreadable, unreadable_text
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.parameters import row
from bulk_esm.model.plan import NOTHING_OWN, READ_AS, Action, PlanItem, changed_members, is_own, plan_for
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rules import is_irreversible
from bulk_esm.model.values import changeable, current_value, holds, is_empty, left_behind, sent_along

# Guess: Lambda fills these in where a request has one of them alone, as both are always read back; what it fills in
# is not captured. To check: set MinimumPollers alone on an on-demand mapping, and read back.
_FILLED_IN: Final = frozenset({"ProvisionedPollerConfig.MinimumPollers", "ProvisionedPollerConfig.MaximumPollers"})


_UNKNOWN: Final = "this version does not know it, so it is neither sent along nor put back"


class Reversal(msgspec.Struct, frozen=True):
    """What to do with one mapping.

    Attributes:
        item: of a plan like any other; its `before` is what is there now, so it can itself be put back.
        conflict: what someone changed since the run, in words; None if nothing, or if that does not count.
    """

    item: PlanItem
    conflict: str | None = None


class Inverse(msgspec.Struct, frozen=True):
    """What was there before a run, as an update would send it.

    Attributes:
        request: parameters of UpdateEventSourceMapping.
        problems: by dotted path what cannot be put back, or perhaps not, and why.
        lasting: the dotted paths of members that the run added and that have no clear form: that they go with the
            structure, which is sent without them, is not documented.
    """

    request: dict[str, Any]
    problems: dict[str, str]
    lasting: tuple[str, ...] = ()


def was_touched(item: PlanItem, result: Result | None, begun: AbstractSet[str] | None = None) -> bool:
    """Whether a run changed a mapping, or may have: whatever came of it, an update that was accepted may be there.

    Args:
        item: the item of its plan.
        result: its result; None if the run was killed before.
        begun: to which mappings something may have been sent; None where that is not known, and so may be to all.
    """
    if not perhaps_sent(item, result, begun):
        return False
    return result is None or result.accepted_at is not None or result.outcome in {Outcome.UPDATED, Outcome.TIMED_OUT}


def inverse_of(item: PlanItem) -> Inverse:
    """Tell what would put back what an item's request changes, and what of it nothing can put back.

    Args:
        item: an item whose action is `update`.
    """
    before = item.before
    request: dict[str, Any] = {}
    problems: dict[str, str] = {}
    lasting: list[str] = []
    for name, asked in item.request.items():
        value = None
        if not (name == FILTERS and before.has_hidden_filters):
            value = _restored(name, current_value(before, name), asked, item.source_type, lasting)
        if value is not None:
            request[name] = value
        if value is None or is_irreversible(before, name):
            reason = row(name).why_not or "what it was before is not known"
            problems[name] = f"{name} cannot be put back: {reason}"
    problems |= {path: f"{path} may be lost: {_UNKNOWN}" for path in _left_behind(item, before)}
    if FILTERS in request and before.configuration.get(KEY):
        # It went with filters that were cleared, and without it they would be stored in clear (F§0.1).
        request[KEY] = before.configuration[KEY]
    problems |= {path: f"{path} may stay: Lambda documents no way to take it away" for path in lasting}
    return Inverse(request, problems, tuple(lasting))


def rollback_item(
    item: PlanItem, now: EventSourceMapping, *, force: bool = False, own: Mapping[str, Any] = NOTHING_OWN
) -> Reversal:
    """Decide what to send to a mapping that a run changed, or may have.

    1. It has everything as before that can be put back: nothing.
    2. It is what the run made of it, or what it was before: the inverse of the run's request.
    3. Someone changed anything else about it since: a conflict; with `force` the inverse, and the rest stays theirs.

    Args:
        item: the item of the run's plan.
        now: the mapping as it is now.
        force: whether to put back what the run set even where someone changed the mapping since.
        own: what later runs of ours set, by parameter; it stays, and is no conflict unless the run has set it too.
    """
    if not now.at_rest:
        return Reversal(plan_for(now))
    before = item.before
    inverse = inverse_of(item)
    there = {path for path in inverse.problems if _differs(path, before, now)}
    remaining = tuple(text for path, text in inverse.problems.items() if path in there)
    # Filters that this reading does not show are not known to be gone; to clear them again does no harm.
    again = {path.partition(".")[0] for path in inverse.lasting if path in there}
    again |= {FILTERS} if now.has_hidden_filters else set()
    request = {name: value for name, value in inverse.request.items() if name in again or not holds(name, value, now)}
    if KEY in inverse.request:
        if KEY not in item.request and not _clears_filters(item) and not holds(KEY, inverse.request[KEY], now):
            request.pop(KEY)  # the run left it as it was: who changed it was someone else
        elif FILTERS in request:
            request[KEY] = inverse.request[KEY]
    if not request:
        return Reversal(plan_for(now, Action.UNCHANGED, problems=remaining))
    against = tuple(cross_field_problems(now, request))
    if FILTERS in request and is_unreadable(now) and not force:
        # They may be what the run set, or what someone else did since: it cannot be told.
        against = (unreadable_text(FILTERS, now), *against)
    planned = plan_for(
        now,
        Action.BLOCKED if against else Action.UPDATE,
        request={} if against else request,
        differences=tuple(
            difference
            for name, value in request.items()
            for difference in differences_of(name, current_value(now, name), value, now.source_type)
        ),
        problems=(*against, *remaining),
    )
    theirs = [] if force else _changed_since(item, inverse, now, own)
    return Reversal(planned, "; ".join(theirs) or None)


def _left_behind(item: PlanItem, before: EventSourceMapping) -> list[str]:
    """What a request takes away, perhaps, and nothing can put back, as this version does not know it; each once."""
    was = before.configuration
    paths = (path for name, asked in item.request.items() for path in left_behind(name, was.get(name), asked))
    return list(dict.fromkeys(paths))


def _clears_filters(item: PlanItem) -> bool:
    return FILTERS in item.request and is_empty(item.request[FILTERS])


def irreversible(items: Iterable[PlanItem]) -> list[tuple[PlanItem, tuple[str, ...]]]:
    """The items of a plan with something that could not be put back later, each with what and why."""
    found = ((item, tuple(inverse_of(item).problems.values())) for item in items if item.action is Action.UPDATE)
    return [(item, problems) for item, problems in found if problems]


def _differs(path: str, before: EventSourceMapping, now: EventSourceMapping) -> bool:
    """Whether a parameter or member is another than before, or is not shown."""
    name, *members = path.split(".")
    if name == FILTERS and (before.has_hidden_filters or now.has_hidden_filters):
        return True
    was, found = current_value(before, name), current_value(now, name)
    for member in members:
        was, found = _member(was, member), _member(found, member)
    return bool(was != found)


def _changed_since(item: PlanItem, inverse: Inverse, now: EventSourceMapping, own: Mapping[str, Any]) -> list[str]:
    """The members that are neither as before the run nor as it left them, each with what it became."""
    before = item.before
    ours = {READ_AS.get(name, name) for name in item.request}
    if _clears_filters(item) and not now.configuration.get(KEY):
        ours.add(KEY)  # it went with the filters (F§0.1)
    others = [name for name in changed_members(before, now) if name not in ours and not is_own(name, own, now)]

    def has(name: str, value: Any) -> bool:
        was, found = current_value(before, name), current_value(now, name)
        return found == was or (holds(name, value, now) and not _is_added(name, found, value, was, now.source_type))

    neither = [
        text
        for name, asked in item.request.items()
        if not has(name, asked) and not (name in inverse.request and has(name, inverse.request[name]))
        for text in change_of(name, asked, current_value(now, name))
    ]
    return [*neither, *(text for name in others for text in change_of(name, *_readings(name, before, now)))]


def _readings(name: str, *mappings: EventSourceMapping) -> list[Any]:
    return [changeable(name, mapping.configuration.get(name)) for mapping in mappings]


def _is_added(path: str, found: Any, sent: Any, was: Any, source_type: SourceType) -> bool:
    """Whether a structure has a member that was neither there nor sent, nor can be Lambda's own doing."""
    if isinstance(found, dict):
        # Guess: in a structure that was not there before, a member that this version does not know was filled in by
        # Lambda; no such member exists yet. To check: look when the API has a new one.
        is_new = is_empty(was) and shape_at(path) is not None
        return any(
            _is_added(f"{path}.{name}", member, _member(sent, name), _member(was, name), source_type)
            for name, member in found.items()
            if not (is_new and shape_at(f"{path}.{name}") is None)
        )
    if sent is not None or path in _FILLED_IN:
        return False
    return bool(found not in (was, row(path).default_for(source_type)))


def _member(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_member(item, name) for item in value]
    return value.get(name) if isinstance(value, dict) else None


def _restored(path: str, before: Any, asked: Any, source_type: SourceType, lasting: list[str]) -> Any:
    """What to send so that a value becomes again what it was: what was added is cleared by name.

    Members that the run did not ask for go along as in an update. Each that it added, and that has a clear form, is
    sent in that. One that has none is left out, and added to `lasting`.

    Returns:
        None if there is no way.
    """
    clear = row(path).clear_for(source_type)
    if is_empty(known(path, before, like=asked)):
        return clear
    if not isinstance(before, dict) or not isinstance(asked, dict):
        return known(path, before, like=asked)
    restored = sent_along(path, before)
    for name, member in asked.items():
        if row(f"{path}.{name}").read_only:
            continue
        value = _restored(f"{path}.{name}", before.get(name), member, source_type, lasting)
        if value is not None:
            restored[name] = value
        elif not is_empty(member):
            lasting.append(f"{path}.{name}")
    return restored or None
