"""The control plane of one account and Region: its mappings, their states and its quota.

Synchronous and without a clock of its own: every method takes `now`, in virtual seconds. The states are those of F§3.1
and F§3.2; a mapping in transition refuses updates and deletes (F§3.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from bulk_esm.model.mapping import State
from bulk_esm.simulator.draws import draw
from bulk_esm.simulator.errors import in_use, invalid, not_found, throttled
from bulk_esm.simulator.fleet import Fleet, partition_of
from bulk_esm.simulator.mapping import Mapping
from bulk_esm.simulator.merging import HIDES_VALUES_UNTIL_SETTLED, full_function_arn, merged
from bulk_esm.simulator.paging import PAGE, Query, page
from bulk_esm.simulator.quota import TokenBucket
from bulk_esm.simulator.refusals import VISIBILITY_TIMEOUT, check_request, check_result
from bulk_esm.simulator.report import AcceptedUpdate, Kind
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.settle import settle_time
from bulk_esm.simulator.timeline import Configuration, Timeline, Version

IN_TRANSITION: Final = frozenset({State.CREATING, State.ENABLING, State.DISABLING, State.UPDATING, State.DELETING})


class Shard:
    """One account and Region.

    Args:
        account_id: 12 digits.
        region: its name.
        fleet: the mappings at the start. They are not changed in place.
        settings: what all shards share.
    """

    def __init__(self, *, account_id: str, region: str, fleet: Fleet, settings: Settings) -> None:
        self.account_id = account_id
        self.region = region
        self.partition = partition_of(region)
        self.requests: Counter[tuple[Kind, int]] = Counter()
        self.tags = dict(fleet.tags)
        self._settings = settings
        self._faults = settings.faults
        self._quota = TokenBucket(
            per_second=settings.quota_per_second,
            burst=settings.burst,
            other_share=settings.faults.other_caller_share,
            other_on_s=settings.faults.other_caller_on_s,
            other_off_s=settings.faults.other_caller_off_s,
        )
        self._mappings: dict[str, Mapping] = {}
        self._order: list[Mapping] = []  # only ever appended to, so that a position in it is a marker
        for configuration in fleet.mappings:
            self._append(configuration, Timeline(configuration, kept_s=self._faults.list_lag_s))

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._mappings

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._order)

    def admit(self, now: float) -> None:
        """Take a token of the quota.

        Raises:
            ApiError: there is none.
        """
        if not self._quota.take(now):
            raise throttled(self._faults.throttle_code, self._faults.retry_after_s)

    def listing(
        self,
        now: float,
        *,
        marker: str | None = None,
        max_items: int = PAGE,
        function_name: str | None = None,
        event_source_arn: str | None = None,
    ) -> tuple[list[Configuration], str | None]:
        """List a page of mappings; see `paging` for the arguments.

        Returns:
            The mappings, and the next page's marker if there may be more.

        Raises:
            ApiError: the marker is not one that this listing gave.
        """
        query = Query(
            scope=f"{self.account_id}/{self.region}", function_name=function_name, event_source_arn=event_source_arn
        )
        return page(
            self._order, lambda mapping: mapping.in_list(now, self._faults.list_lag_s), query, marker, max_items
        )

    def get(self, uuid: str, now: float) -> Configuration:
        """Get one mapping.

        Raises:
            ApiError: there is none.
        """
        return self._existing(uuid, now)[1]

    def update(self, uuid: str, request: dict[str, Any], now: float) -> Configuration:
        """Accept an update, or refuse it.

        Args:
            uuid: the mapping's identifier.
            request: the members of UpdateEventSourceMapping, within the bounds of the API's model.
            now: virtual seconds.

        Returns:
            The body of the 202: the mapping in transition, with the old values for some source types (F§3.2).

        Raises:
            ApiError: there is no such mapping, it is in transition, or it cannot take the update.
        """
        mapping, before = self._existing(uuid, now)
        if before["State"] in IN_TRANSITION:
            raise in_use("update")
        check_request(request, mapping.source_type)
        if draw(self._settings.seed, "refused", uuid) < self._faults.refused_share:
            raise invalid(VISIBILITY_TIMEOUT)
        after = merged(before, request, function_arn=self._function_arn(request))
        check_result(after)
        return self._accept(mapping, before, after, _state_asked_for(request, before["State"]), now)

    def _accept(
        self, mapping: Mapping, before: Configuration, after: Configuration, rest: str, now: float
    ) -> Configuration:
        if rest == before["State"]:
            passing = State.UPDATING  # an update that changes nothing too; nothing is recorded (F§3.2)
        else:
            passing = State.ENABLING if rest == State.ENABLED else State.DISABLING
        settles_at = self._settles_at(mapping, now)
        shown = before if mapping.source_type in HIDES_VALUES_UNTIL_SETTLED else after
        transit = self._look(shown, passing, now)
        versions = [] if settles_at == now else [Version(now, transit)]
        if settles_at is not None:
            versions.append(Version(settles_at, self._look(after, rest, settles_at)))
        mapping.timeline.record(now, *versions)
        self._perhaps_show_wrong(mapping, after, rest, now)
        mapping.accepted.append(AcceptedUpdate(accepted_at=now, settles_at=settles_at))
        return transit

    def delete(self, uuid: str, now: float) -> Configuration:
        """Begin to delete a mapping.

        Returns:
            The mapping, Deleting.

        Raises:
            ApiError: there is no such mapping, or it is in transition.
        """
        mapping, before = self._existing(uuid, now)
        if before["State"] in IN_TRANSITION:
            raise in_use("delete")
        deleting = self._look(before, State.DELETING, now)
        gone_at = self._settles_at(mapping, now)
        gone = [] if gone_at is None else [Version(gone_at, None)]
        mapping.timeline.record(now, Version(now, deleting), *gone)
        return deleting

    def snapshot(self, now: float) -> list[Configuration]:
        """All mappings as Get would return them."""
        return [found for mapping in self._order if (found := mapping.timeline.at(now)) is not None]

    def tagged(self, now: float) -> dict[str, dict[str, str]]:
        """The tags by ARN of functions, and of those mappings that are there."""
        mappings = {configuration.get("EventSourceMappingArn") for configuration in self.snapshot(now)}
        return {arn: tags for arn, tags in self.tags.items() if ":event-source-mapping:" not in arn or arn in mappings}

    def change_behind(self, uuid: str, values: dict[str, Any], now: float) -> None:
        """Change what Get returns from now on, at once and past all rules; in transit, also what it will be at rest.

        Args:
            uuid: the mapping's identifier.
            values: members of the configuration; None removes one. LastModified moves unless it is among them.
            now: virtual seconds.

        Raises:
            ApiError: there is no such mapping.
        """
        mapping, before = self._existing(uuid, now)

        def changed(configuration: Configuration, at: float) -> Configuration:
            merged_values = {**configuration, "LastModified": self._epoch(at), **values}
            return {name: value for name, value in merged_values.items() if value is not None}

        versions = [Version(now, changed(before, now))]
        versions += [
            Version(at, None if configuration is None else changed(configuration, at))
            for at, configuration in mapping.timeline.future(now)
        ]
        mapping.timeline.record(now, *versions)

    def delete_behind(self, uuid: str, now: float) -> None:
        """Delete a mapping at once.

        Raises:
            ApiError: there is no such mapping.
        """
        mapping, _ = self._existing(uuid, now)
        mapping.timeline.record(now, Version(now, None))

    def add(self, fleet: Fleet, now: float) -> None:
        """Add mappings, which were not there before."""
        for configuration in fleet.mappings:
            self._append(configuration, Timeline(configuration, visible_from=now, kept_s=self._faults.list_lag_s))
        self.tags.update(fleet.tags)

    def _append(self, configuration: Configuration, timeline: Timeline) -> None:
        mapping = Mapping(configuration, timeline)
        if mapping.uuid in self._mappings:
            raise ValueError(f"two mappings have the UUID {mapping.uuid}: give each its own")
        self._mappings[mapping.uuid] = mapping
        self._order.append(mapping)

    def _existing(self, uuid: str, now: float) -> tuple[Mapping, Configuration]:
        mapping = self._mappings.get(uuid)
        configuration = mapping.timeline.at(now) if mapping else None
        if mapping is None or configuration is None:
            raise not_found()
        return mapping, configuration

    def _settles_at(self, mapping: Mapping, now: float) -> float | None:
        seed = self._settings.seed
        if draw(seed, "stuck", mapping.uuid) < self._faults.stuck_share:
            return None
        takes_s = settle_time(mapping.source_type, seed=seed, uuid=mapping.uuid, nth=len(mapping.accepted))
        return now + takes_s * self._settings.settle_scale

    def _perhaps_show_wrong(self, mapping: Mapping, after: Configuration, rest: str, now: float) -> None:
        nth = len(mapping.accepted)
        if draw(self._settings.seed, "wrong", mapping.uuid, nth) < self._faults.list_wrong_share:
            opposite = State.DISABLED if rest == State.ENABLED else State.ENABLED
            mapping.wrong_look = self._look(after, opposite, now)
            mapping.wrong_until = now + self._faults.list_wrong_for_s

    def _look(self, configuration: Configuration, state: str, at: float) -> Configuration:
        return {**configuration, "State": str(state), "LastModified": self._epoch(at)}

    def _epoch(self, at: float) -> float:
        return round(self._settings.epoch + at, 3)

    def _function_arn(self, request: dict[str, Any]) -> str | None:
        name = request.get("FunctionName")
        if name is None:
            return None
        return full_function_arn(name, partition=self.partition, account_id=self.account_id, region=self.region)


def _state_asked_for(request: dict[str, Any], state: str) -> str:
    if "Enabled" not in request:
        return state
    return State.ENABLED if request["Enabled"] else State.DISABLED
