"""What an update means for whoever runs the fleet, beyond the values that it changes: pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from bulk_esm.model.differences import Difference, differences_of
from bulk_esm.model.filters import FILTERS
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.parameters import KAFKA, SQS, row
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.values import current_value, is_empty

_PROVISIONED: Final = "ProvisionedPollerConfig"
_DESTINATION: Final = "DestinationConfig"
_UNLIMITED: Final = -1  # of retries and of a record's age

# Guess: pollers of provisioned mode are billed for as long as they are kept, as "event poller units" are a capacity
# (the API's own page); what they cost is not captured, nor whether a disabled mapping pays. To check: see a bill.
_BILLED: Final = "its pollers are kept and billed from MinimumPollers on, whether or not there is anything to read"

# What becomes of what does not match (F§6.2).
_UNMATCHED: Final = {
    **dict.fromkeys(SQS, "deletes messages that no longer match, from the queue"),
    SourceType.MQ: "acknowledges messages that no longer match, so that they are gone",
    **dict.fromkeys(KAFKA, "passes over records that no longer match, for good"),
    SourceType.KINESIS: "passes over records that no longer match, for good",
    SourceType.DYNAMODB: "passes over records that no longer match, for good",
}

# What less of it brings, where that is not plain.
_LESS: Final = {
    "MaximumRetryAttempts": "failing records are given up sooner",
    "MaximumRecordAgeInSeconds": "records that are older are given up",
    "ScalingConfig.MaximumConcurrency": "the queue drains more slowly",
    "ParallelizationFactor": "the stream is read more slowly",
    "ProvisionedPollerConfig.MaximumPollers": "peaks are read more slowly",
    "ProvisionedPollerConfig.MinimumPollers": "less is kept ready for a peak",
}


def meanings_of(item: PlanItem) -> tuple[str, ...]:
    """What an item's update means, in words that many items share.

    Args:
        item: of a plan; one that is not `update` means nothing.
    """
    if item.action is not Action.UPDATE:
        return ()
    before = item.before
    found: list[str] = []
    for name, asked in item.request.items():
        was = current_value(before, name)
        if name == _PROVISIONED and is_empty(was) != is_empty(asked):
            turned_on = f"turns on provisioned mode: {_BILLED}"
            found.append("turns off provisioned mode: Lambda scales the pollers" if is_empty(asked) else turned_on)
        elif name == _DESTINATION and not is_empty(was) and is_empty(asked):
            found.append("removes a destination: what fails for good is dropped, and told to nobody")
        elif name == FILTERS:
            found.append(_of_filters(item.source_type, asked))
        elif name == "FunctionName":
            found.append("invokes another function")
        else:
            found.extend(_reductions(differences_of(name, was, asked, item.source_type), item.source_type))
    return tuple(found)


def _of_filters(source_type: SourceType, asked: Any) -> str:
    if is_empty(asked):
        return "removes filters: everything invokes the function"
    return f"filters anew: {_UNMATCHED.get(source_type, 'drops what no longer matches')}"


def _reductions(differences: tuple[Difference, ...], source_type: SourceType) -> Iterator[str]:
    for one in differences:
        default = row(one.parameter).default_for(source_type)
        was, becomes = (_amount(default if value is None else value) for value in (one.before, one.after))
        if becomes < was:
            less = _LESS.get(one.parameter)
            yield f"reduces {one.parameter}" + (f": {less}" if less else "")


def _amount(value: Any) -> float:
    """A number; where there is none, or it says so, it is without a limit."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value != _UNLIMITED else math.inf
