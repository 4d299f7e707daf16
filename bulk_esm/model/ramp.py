"""What resuming adds in concurrent invocations, by source type: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, PlanItem

# F§7.2 and F§6.1 d.
_QUEUE_AT_ONCE: Final = 5
_QUEUE_AT_MOST: Final = 1_250
_BY_QUEUE_POLLER: Final = 10
_LEAST_QUEUE_POLLERS: Final = 2
_BY_KAFKA_POLLER: Final = 5
ACCOUNT_CONCURRENCY: Final = 1_000  # by default, of an account and Region

_KAFKA: Final = frozenset({SourceType.MSK, SourceType.KAFKA})
_STREAMS: Final = frozenset({SourceType.KINESIS, SourceType.DYNAMODB})


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What resuming the mappings of one source type adds.

    Attributes:
        source_type: the kind of source.
        mappings: how many are resumed.
        at_once: concurrent invocations soon after; for streams, those of one shard of each. None where nobody says.
        at_most: what they may grow to; None where nobody says.
    """

    source_type: SourceType
    mappings: int
    at_once: int | None
    at_most: int | None

    @property
    def by_shard(self) -> bool:
        """Whether `at_once` counts one shard for each stream, as the API does not tell how many there are."""
        return self.source_type in _STREAMS


def added_concurrency(items: Iterable[PlanItem]) -> list[Added]:
    """What a plan's resumes add.

    Args:
        items: the plan's items.

    Returns:
        One for each source type that is resumed.
    """
    found: dict[SourceType, list[tuple[int | None, int | None]]] = defaultdict(list)
    for item in items:
        if item.action is Action.UPDATE and item.request.get("Enabled") is True:
            found[item.source_type].append(_of(item))
    return [
        Added(
            source_type=source_type,
            mappings=len(found[source_type]),
            at_once=_sum(at_once for at_once, _ in found[source_type]),
            at_most=_sum(at_most for _, at_most in found[source_type]),
        )
        for source_type in SourceType
        if source_type in found
    ]


def ramp_lines(added: Iterable[Added]) -> Iterator[str]:
    """What resuming adds, in words.

    Args:
        added: from `added_concurrency`.
    """
    for one in added:
        yield f"  {one.mappings:,} {one.source_type}: {_in_words(one)}"


def _in_words(one: Added) -> str:
    if one.at_once is None:
        return "Lambda does not say how many" if one.at_most is None else f"at most {one.at_most:,}"
    if one.by_shard:
        return f"about {one.at_once:,} at once, if each stream has one shard"
    if one.at_most is None:
        return f"at least {one.at_once:,} at once"
    later = f", at most {one.at_most:,} later" if one.at_most > one.at_once else ""
    return f"about {one.at_once:,} at once{later}"


def _of(item: PlanItem) -> tuple[int | None, int | None]:
    """Concurrent invocations of one mapping: soon after, and at most."""

    def value(name: str) -> Any:
        return item.request.get(name, configuration.get(name))

    configuration = item.before.configuration
    pollers = value("ProvisionedPollerConfig") or {}
    source_type = item.source_type
    if source_type in {SourceType.SQS, SourceType.SQS_FIFO}:
        if pollers:
            return _scaled(pollers, _BY_QUEUE_POLLER, least=_LEAST_QUEUE_POLLERS)
        most = (value("ScalingConfig") or {}).get("MaximumConcurrency")
        if source_type is SourceType.SQS_FIFO:
            return None, most  # as many as there are message groups, which this API does not tell
        return min(_QUEUE_AT_ONCE, most or _QUEUE_AT_ONCE), most or _QUEUE_AT_MOST
    if source_type in _STREAMS:
        return value("ParallelizationFactor") or 1, None
    if source_type in _KAFKA:
        return _scaled(pollers, _BY_KAFKA_POLLER) if pollers else (1, None)
    return (1, 1) if source_type is SourceType.DOCUMENTDB else (None, None)


def _scaled(pollers: dict[str, int], by_poller: int, *, least: int = 1) -> tuple[int | None, int | None]:
    most = pollers.get("MaximumPollers")
    return (pollers.get("MinimumPollers") or least) * by_poller, most * by_poller if most else None


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = list(numbers)
    return None if None in known else sum(number for number in known if number is not None)
