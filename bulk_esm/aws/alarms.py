"""CloudWatch alarms: whether one rings."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from bulk_esm.errors import UsageError

_MOST_NAMES: Final = 100  # DescribeAlarms takes no more at once
_KINDS: Final = ("MetricAlarm", "CompositeAlarm")


class AlarmState(msgspec.Struct, frozen=True):
    """How an alarm stands.

    Attributes:
        name: its name.
        state: `OK`, `ALARM` or `INSUFFICIENT_DATA`.
        reason: CloudWatch's own words.
    """

    name: str
    state: str
    reason: str


async def read_alarms(client: Any, names: tuple[str, ...], *, flag: str = "--alarm") -> list[AlarmState]:
    """Read the states of alarms, metric and composite ones.

    Args:
        client: an aiobotocore client for CloudWatch.
        names: of the alarms.
        flag: which flag named them.

    Returns:
        One for each name, in their order.

    Raises:
        UsageError: no alarm has one of the names.
    """
    found: dict[str, AlarmState] = {}
    for begin in range(0, len(names), _MOST_NAMES):
        paginator = client.get_paginator("describe_alarms")
        pages = paginator.paginate(AlarmNames=list(names[begin : begin + _MOST_NAMES]), AlarmTypes=list(_KINDS))
        async for page in pages:
            for kind in _KINDS:
                for alarm in page.get(f"{kind}s") or []:
                    name = alarm["AlarmName"]
                    found[name] = AlarmState(name, alarm["StateValue"], alarm.get("StateReason") or "no reason given")
    for name in names:
        if name not in found:
            where = client.meta.region_name
            raise UsageError(
                f"{flag} {name}: no CloudWatch alarm of this name in {where}; see aws cloudwatch describe-alarms"
            )
    return [found[name] for name in names]
