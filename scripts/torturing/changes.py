"""The commands that change mappings, and what each must come to: pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum

from torturing.judge import Configuration, Expected, steady

Mappings = Mapping[str, Configuration]


class Command(StrEnum):
    """A command that changes mappings."""

    PAUSE = "pause"
    RESUME = "resume --run"
    APPLY = "apply"
    APPLY_PLAN = "apply --plan"
    ROLLBACK = "rollback"


def expected_of_pause(before: Mappings, selected: AbstractSet[str]) -> Expected:
    """What is Enabled becomes Disabled."""
    updates = frozenset(uuid for uuid in selected if before[uuid]["State"] == "Enabled")
    return Expected(
        selected=frozenset(selected), updates=updates, members={uuid: {"State": "Disabled"} for uuid in updates}
    )


def expected_of_apply(before: Mappings, selected: AbstractSet[str], batch_size: int) -> Expected:
    """What has another batch size gets this one."""
    updates = frozenset(uuid for uuid in selected if before[uuid]["BatchSize"] != batch_size)
    return Expected(
        selected=frozenset(selected), updates=updates, members={uuid: {"BatchSize": batch_size} for uuid in updates}
    )


def expected_of_undoing(first: Mappings, selected: AbstractSet[str], touched: AbstractSet[str]) -> Expected:
    """What an earlier change did is put back, whether that ended or was left as it was.

    Args:
        first: the mappings before the earlier change.
        selected: what that selected.
        touched: of these, what it had accepted.
    """
    return Expected(
        selected=frozenset(selected),
        updates=frozenset(touched),
        members={uuid: steady(first[uuid]) for uuid in touched},
        all_planned=False,
    )
