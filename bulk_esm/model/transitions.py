"""What a mapping goes through after an update, on which depends how long it takes to come to rest. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from bulk_esm.model.mapping import EventSourceMapping, SourceType, State
from bulk_esm.model.plan import PlanItem


class TransitionKind(StrEnum):
    """The kinds of update that were captured to take different times (F§0.2)."""

    ENABLE = "enable"
    DISABLE = "disable"
    RECONFIGURE = "reconfigure"
    RECONFIGURE_DISABLED = "reconfigure while disabled"


class Transition(NamedTuple):
    """What a mapping of one source type goes through."""

    source_type: SourceType
    kind: TransitionKind


_KIND_BY_STATE: Final[dict[str, TransitionKind]] = {
    State.CREATING: TransitionKind.ENABLE,
    State.ENABLING: TransitionKind.ENABLE,
    State.DISABLING: TransitionKind.DISABLE,
}


def transition_of(item: PlanItem) -> Transition:
    """Tell what an item's update takes its mapping through.

    Args:
        item: an item of a plan whose action is `update`.
    """
    was_enabled = item.state == State.ENABLED
    # Guess: Enabled together with a configuration takes as long as Enabled alone. The two in one call were captured on
    # Disabled RabbitMQ only, where they changed nothing about polling.
    # Probe steps: flip-with-configuration
    if item.request.get("Enabled", was_enabled) != was_enabled:
        return Transition(item.source_type, TransitionKind.DISABLE if was_enabled else TransitionKind.ENABLE)
    return Transition(
        item.source_type, TransitionKind.RECONFIGURE if was_enabled else TransitionKind.RECONFIGURE_DISABLED
    )


def transition_under_way(mapping: EventSourceMapping) -> Transition:
    """Tell what a mapping goes through that is not at rest, as far as its state tells."""
    return Transition(mapping.source_type, _KIND_BY_STATE.get(mapping.state, TransitionKind.RECONFIGURE))
