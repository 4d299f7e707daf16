"""A plan: for each selected mapping what will be sent, or why not. Complete before the first update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, Final

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.combinations import cross_field_problems
from bulk_esm.model.differences import Difference
from bulk_esm.model.filters import FILTERS, KEY
from bulk_esm.model.mapping import EventSourceMapping, FunctionReference, SourceType, State
from bulk_esm.model.values import changeable, holds, is_empty, says_the_same

# What Lambda changes by itself, without anyone changing the configuration (F§2).
_VOLATILE: Final = frozenset({"LastModified", "LastProcessingResult", "StateTransitionReason", "FilterCriteriaError"})


_NOTHING: Final = msgspec.Raw(b"{}")


class _Stamped(msgspec.Struct):
    """The one member of a configuration that is asked for without the others."""

    LastModified: float | None = None


_stamps: Final = msgspec.json.Decoder(_Stamped)


class Action(StrEnum):
    """What a plan does with a mapping."""

    UPDATE = "update"
    UNCHANGED = "unchanged"
    BLOCKED = "blocked"


class PlanItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of `plan.jsonl`.

    Attributes:
        uuid: the mapping.
        function_arn: its function, or None for an unknown mapping.
        event_source_arn: its source, or None where it has no ARN.
        source_type: the kind of source.
        state: as read.
        action: what will be done.
        request: what will be sent, without the UUID; empty unless the action is `update`.
        diff: what differs from what was asked for.
        problems: why it is blocked.
        before_json: the whole configuration as read, in JSON: a plan of 100,000 is kept in memory.
    """

    uuid: str
    function_arn: str | None
    event_source_arn: str | None
    source_type: SourceType
    state: str | None
    action: Action
    request: dict[str, Any] = {}
    diff: tuple[Difference, ...] = ()
    problems: tuple[str, ...] = ()
    # By a factory, as msgspec can put no default of raw JSON into a schema.
    before_json: msgspec.Raw = msgspec.field(default_factory=lambda: _NOTHING, name="before")

    @property
    def is_unknown(self) -> bool:
        """Whether no mapping here has this UUID."""
        return self.state is None and self.function_arn is None and self.action is Action.BLOCKED

    @property
    def before(self) -> EventSourceMapping:
        """The mapping as it was read for the plan; without any member if it is not known."""
        return EventSourceMapping(msgspec.json.decode(self.before_json))

    @property
    def last_modified(self) -> float:
        """`LastModified` as read, in seconds since the epoch; 0 where not given."""
        return float(_stamps.decode(self.before_json).LastModified or 0)


class Plan(msgspec.Struct, frozen=True):
    """The items, a line each."""

    items: tuple[PlanItem, ...]

    @classmethod
    def of_each_once(cls, items: Iterable[PlanItem]) -> Plan:
        """A plan of items that may name a mapping several times: the first counts."""
        once: dict[str, PlanItem] = {}
        for item in items:
            once.setdefault(item.uuid, item)
        return cls(tuple(once.values()))

    def check(self) -> None:
        """Refuse a plan that was put together wrongly, such as by an editor.

        Raises:
            UsageError: no items, or a mapping that is named twice.
        """
        if not self.items:
            raise UsageError("the plan is empty, so there is nothing to apply")
        named: set[str] = set()
        for item in self.items:
            if item.uuid in named:
                raise UsageError(f"the plan names mapping {item.uuid} twice; make it anew with `bulk-esm plan --save`")
            named.add(item.uuid)

    def check_is_in_one_place(self) -> None:
        """Refuse a plan for one account and Region that has mappings of several.

        Raises:
            UsageError: it has.
        """
        if len({(function.account_id, function.region) for function in self._functions()}) > 1:
            raise UsageError(
                "the plan has mappings of several accounts or Regions; name the fleet that it is for (--accounts, "
                "--regions or --fleet), or make one for each"
            )

    @property
    def account_id(self) -> str | None:
        """The account of the mappings, as their functions' ARNs name it; None if none is known."""
        return next((function.account_id for function in self._functions()), None)

    @property
    def region(self) -> str | None:
        """The Region of the mappings, likewise."""
        return next((function.region for function in self._functions()), None)

    def _functions(self) -> Iterator[FunctionReference]:
        return (FunctionReference.parse(item.function_arn) for item in self.items if item.function_arn)

    def count(self, action: Action) -> int:
        """How many mappings have this action."""
        return sum(1 for item in self.items if item.action is action)

    @property
    def updates(self) -> tuple[PlanItem, ...]:
        """The items for which something will be sent."""
        return tuple(item for item in self.items if item.action is Action.UPDATE)


def plan_item(change: Change, mapping: EventSourceMapping, *, allow_irreversible: bool = False) -> PlanItem:
    """Decide about one mapping.

    Args:
        change: what is asked of it.
        mapping: the mapping as read. In transition it is no basis for a plan, and blocked.
        allow_irreversible: whether what can never be taken back may be changed.
    """
    if not mapping.at_rest:
        return plan_for(mapping)
    comparison = change.compare(mapping, allow_irreversible=allow_irreversible)
    if comparison.problems:
        return plan_for(mapping, Action.BLOCKED, differences=comparison.differences, problems=comparison.problems)
    if not comparison.request:
        return plan_for(mapping, Action.UNCHANGED)
    return plan_for(mapping, Action.UPDATE, request=comparison.request, differences=comparison.differences)


def unknown_item(uuid: str) -> PlanItem:
    """The item of a UUID that no mapping here has."""
    return PlanItem(
        uuid=uuid,
        function_arn=None,
        event_source_arn=None,
        source_type=SourceType.UNKNOWN,
        state=None,
        action=Action.BLOCKED,
        problems=("no event source mapping has this UUID in this account and Region",),
    )


def plan_for(
    mapping: EventSourceMapping,
    action: Action = Action.BLOCKED,
    *,
    request: dict[str, Any] | None = None,
    differences: tuple[Difference, ...] = (),
    problems: tuple[str, ...] = (),
) -> PlanItem:
    """The item of a mapping for which it was decided what to do.

    Args:
        mapping: the mapping as read.
        action: what to do; a mapping in transition is blocked.
        request: what to send.
        differences: what differs from what was asked for.
        problems: what speaks against it.
    """
    if not mapping.at_rest:
        action, request, differences, problems = Action.BLOCKED, None, (), (_in_transition(mapping),)
    return PlanItem(
        uuid=mapping.uuid,
        function_arn=mapping.function_arn,
        event_source_arn=mapping.event_source_arn,
        source_type=mapping.source_type,
        state=mapping.state,
        action=action,
        request=request or {},
        diff=differences,
        problems=problems,
        before_json=msgspec.Raw(msgspec.json.encode(mapping.configuration)),
    )


def _in_transition(mapping: EventSourceMapping) -> str:
    if mapping.state == State.DELETING:
        return "the mapping is being deleted"
    return f"the mapping is {mapping.state or 'in no state'} and did not come to rest; try again when it has"


def renewed(item: PlanItem, now: EventSourceMapping) -> PlanItem:
    """The item for a mapping of which someone has changed what the plan does not set.

    Args:
        item: an item whose action is `update`.
        now: the mapping as it is now; what the item is compared with, and put back to, from now on.
    """
    problems = tuple(cross_field_problems(now, item.request))
    action = Action.BLOCKED if problems else Action.UPDATE
    return plan_for(now, action, request={} if problems else item.request, differences=item.diff, problems=problems)


class PlanMatch(StrEnum):
    """How a mapping stands to a plan made earlier."""

    AS_PLANNED = "as planned"
    DONE = "done"
    CHANGED = "changed"


# What a parameter of the update changes in what is read.
READ_AS: Final = {"FunctionName": "FunctionArn", "Enabled": "State"}


NOTHING_OWN: Final[Mapping[str, Any]] = {}


def match_plan(
    item: PlanItem,
    mapping: EventSourceMapping,
    *,
    only_its_parameters: bool = False,
    own: Mapping[str, Any] = NOTHING_OWN,
) -> PlanMatch:
    """Tell whether a mapping is still what a saved plan was made for.

    Args:
        item: an item whose action is `update`.
        mapping: the mapping as it is now.
        only_its_parameters: whether only changes to what the plan sets count.
        own: what runs of ours set since, by parameter.

    Returns:
        `DONE` if it has all that the plan asks for, `CHANGED` if someone changed anything else about it, else
        `AS_PLANNED`. What Lambda changes by itself does not count.
    """
    # Filters that this reading does not show are not known to be gone; to clear them again does no harm.
    hidden = "FilterCriteria" in item.request and mapping.has_hidden_filters
    if mapping.at_rest and not hidden and all(holds(name, value, mapping) for name, value in item.request.items()):
        return PlanMatch.DONE
    changed = changed_by_others(item, mapping, own=own)
    if only_its_parameters:
        changed = [name for name in changed if name in _set_by(item)]
    return PlanMatch.CHANGED if changed else PlanMatch.AS_PLANNED


def changed_by_others(
    item: PlanItem, mapping: EventSourceMapping, *, own: Mapping[str, Any] = NOTHING_OWN
) -> list[str]:
    """The members that differ from what was planned, less those that runs of ours set, unless the plan sets them too.

    Args:
        item: an item whose action is `update`.
        mapping: the mapping as it is now.
        own: what runs of ours set since, by parameter.
    """
    changed = changed_members(item.before, mapping)
    return [name for name in changed if name in _set_by(item) or not is_own(name, own, mapping)]


def is_own(name: str, own: Mapping[str, Any], now: EventSourceMapping) -> bool:
    """Whether a member is as a run of ours has set it.

    Args:
        name: as it is read.
        own: what runs of ours set, by parameter.
        now: the mapping as it is now.
    """
    if name == KEY and FILTERS in own and is_empty(own[FILTERS]) and not now.configuration.get(KEY):
        return True  # it went with the filters (F§0.1)
    return any(READ_AS.get(one, one) == name and holds(one, value, now) for one, value in own.items())


def _set_by(item: PlanItem) -> set[str]:
    return {READ_AS.get(name, name) for name in item.request}


def changed_members(
    before: EventSourceMapping, now: EventSourceMapping, *, besides: AbstractSet[str] = frozenset()
) -> list[str]:
    """The members that differ between two readings of a mapping, less what Lambda changes by itself or nobody can.

    What was fixed when the mapping was created may be shown by one version of the SDK only (F§0.1). An encrypted
    `FilterCriteria` is null in List and clear in Get (F§2), so null equals anything there. Elsewhere null, an empty
    list and the default are what absent is: which of them is shown depends on the source, and on who read it (F§0.2).

    Args:
        before: the earlier one.
        now: the later one.
        besides: members that are not asked about.
    """
    was, found = before.configuration, now.configuration

    def value_of(reading: dict[str, Any], name: str) -> Any:
        value = changeable(name, reading.get(name))
        return None if value == [] else value

    # Most are the same as they stand, and cost no more than that: this is asked of each update's answer.
    differ = [name for name, value in found.items() if was.get(name) != value]
    differ += [name for name, value in was.items() if value is not None and name not in found]
    names = sorted(name for name in differ if name not in _VOLATILE and name not in besides)
    encrypted = bool(was.get("KMSKeyArn") and found.get("KMSKeyArn"))
    return [
        name
        for name in names
        if value_of(was, name) != value_of(found, name)
        and not (name == "FilterCriteria" and encrypted and None in (was.get(name), found.get(name)))
        and not says_the_same(name, before, now)
    ]
