"""What a pause can cost in data, as far as the API tells: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from bulk_esm.model.mapping import SourceType
from bulk_esm.model.parameters import row
from bulk_esm.model.plan import Action, PlanItem

LEFT_OUT: Final = "left out, as it would lose data: "
_RECORD_AGE: Final = "MaximumRecordAgeInSeconds"
# How long a source keeps what is not read (F§7.1): by default for DocumentDB, always for DynamoDB. What SQS, Kinesis
# and Kafka keep is set at the source, where this API does not see it.
_RETENTION: Final = {
    SourceType.DOCUMENTDB: (3 * 3600.0, "a DocumentDB change stream keeps 3 h, if nobody set it otherwise"),
    SourceType.DYNAMODB: (24 * 3600.0, "a DynamoDB stream keeps 24 h"),
}


class Loss(msgspec.Struct, frozen=True, order=True):
    """What is lost if a mapping stays paused.

    Attributes:
        after_s: from how long a pause on, in seconds.
        reason: why, in words.
    """

    after_s: float
    reason: str


def loss_of(item: PlanItem) -> Loss | None:
    """The first loss that a pause of a mapping brings (F§7.3).

    Args:
        item: the item of the plan; what it sends beside the pause counts.

    Returns:
        None where the API does not tell.
    """
    found = []
    age_s = item.request.get(_RECORD_AGE, item.before.configuration.get(_RECORD_AGE))
    if age_s is not None and age_s >= 0 and row(_RECORD_AGE).takes(item.source_type):
        found.append(Loss(float(age_s), f"{_RECORD_AGE} is {age_s}, so older records are dropped"))
    if item.source_type in _RETENTION:
        found.append(Loss(*_RETENTION[item.source_type]))
    return min(found, default=None)


def pauses(item: PlanItem) -> bool:
    """Whether an item turns a mapping off."""
    return item.action is Action.UPDATE and item.request.get("Enabled") is False


def losses(items: Iterable[PlanItem]) -> list[tuple[PlanItem, Loss]]:
    """The losses that a plan's pauses bring, the soonest first.

    Args:
        items: the plan's items.
    """
    found = [(item, loss) for item in items if pauses(item) and (loss := loss_of(item)) is not None]
    return sorted(found, key=lambda pair: (pair[1], pair[0].uuid))


def within(found: Iterable[tuple[PlanItem, Loss]], paused_s: float) -> list[tuple[PlanItem, Loss]]:
    """Those that lose data in a pause of so many seconds; one that ends just as the data do loses them."""
    return [(item, loss) for item, loss in found if loss.after_s <= paused_s]


def without_losses(items: Sequence[PlanItem], paused_s: float) -> tuple[PlanItem, ...]:
    """A plan in which those that would lose data in a pause of so many seconds are left alone, and say why.

    Args:
        items: the plan's items.
        paused_s: how long the pause is.
    """
    lost = {item.uuid: loss for item, loss in within(losses(items), paused_s)}
    return tuple(
        msgspec.structs.replace(
            item, action=Action.BLOCKED, request={}, problems=(f"{LEFT_OUT}{lost[item.uuid].reason}",)
        )
        if item.uuid in lost
        else item
        for item in items
    )


def loss_lines(found: Iterable[tuple[PlanItem, Loss]], *, most: int = 5) -> Iterator[str]:
    """The losses in words, the soonest first.

    Args:
        found: from `losses`.
        most: how many lines.
    """
    counts: dict[Loss, int] = defaultdict(int)
    for _, loss in found:
        counts[loss] += 1
    for loss, count in sorted(counts.items())[:most]:
        yield f"  {count:,} x after {_hours(loss.after_s)}: {loss.reason}"
    if len(counts) > most:
        yield f"  and {sum(count for _, count in sorted(counts.items())[most:]):,} later"


def _hours(seconds: float) -> str:
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"
