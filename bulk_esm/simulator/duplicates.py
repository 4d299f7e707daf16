"""No two mappings have the same source and function; the second is a conflict for good (F§0.2, F§3.4)."""

from __future__ import annotations

from collections import defaultdict

from bulk_esm.model.mapping import FunctionReference
from bulk_esm.simulator.errors import conflict
from bulk_esm.simulator.mapping import Mapping
from bulk_esm.simulator.taking import KAFKA, QUEUES
from bulk_esm.simulator.timeline import Configuration


class Duplicates:
    """The mappings by source, so that one that moves to another function is compared with few."""

    def __init__(self) -> None:
        self._by_source: defaultdict[str, list[Mapping]] = defaultdict(list)

    def add(self, mapping: Mapping) -> None:
        """Know a mapping, whose source never changes."""
        self._by_source[mapping.source].append(mapping)

    def check(self, mapping: Mapping, configuration: Configuration, function_arn: str, now: float) -> None:
        """Refuse a function that another mapping of the same source has, or is on its way to.

        Args:
            mapping: the one that is updated, or made.
            configuration: what it is.
            function_arn: what it is to run, with its qualifier: each is another function to Lambda.
            now: virtual seconds.

        Raises:
            ApiError: ResourceConflictException, which names the other mapping.
        """
        # Guess: a mapping that is being deleted still counts until it is gone; no such call was captured, and
        # re-creating a mapping right after its deletion would tell.
        for other in self._by_source[mapping.source]:
            if other is not mapping and any(
                look["FunctionArn"] == function_arn and look.get("Topics") == configuration.get("Topics")
                for look in other.timeline.from_now_on(now)
            ):
                raise conflict(_message(mapping, configuration, function_arn, other.uuid))


def _message(mapping: Mapping, configuration: Configuration, function_arn: str, other: str) -> str:
    reference = FunctionReference.parse(function_arn)
    function = f"{reference.name}:{reference.qualifier}" if reference.qualifier else reference.name
    source = mapping.source
    # Guess: MQ and DocumentDB use the words of streams, a qualifier stands behind the function's name, and every text
    # ends alike; recorded are unqualified functions with SQS, streams and Kafka (F§3.4), on Create.
    if mapping.source_type in QUEUES:
        what = f'An event source mapping with SQS arn (" {source} ") and function (" {function} ") already exists.'
    elif mapping.source_type in KAFKA:
        topics = ",".join(configuration.get("Topics") or [])
        what = (
            f'An event source mapping with event source ("{source}"), function ("{function}"), '
            f'topics ("{topics}") already exists.'
        )
    else:
        what = f'The event source arn (" {source} ") and function (" {function} ") provided mapping already exists.'
    return f"{what} Please update or delete the existing mapping with UUID {other}"
