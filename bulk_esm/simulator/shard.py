"""The control plane of one account and Region: its mappings, their states and its quota.

Synchronous and without a clock of its own: every method takes `now`, in virtual seconds. The states are those of F§3.1
and F§0.2. Mappings are kept with the exact moment of the last call, which alone moves `LastModified`: neither coming to
rest, nor a refusal, nor tagging does (F§0.2).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from bulk_esm.model.mapping import State, source_type_of
from bulk_esm.simulator.alarms import Alarm
from bulk_esm.simulator.calendars import Calendar
from bulk_esm.simulator.combinations import check_result, check_switch
from bulk_esm.simulator.creating import check_members, created
from bulk_esm.simulator.draws import draw
from bulk_esm.simulator.duplicates import Duplicates
from bulk_esm.simulator.effects import effect_of
from bulk_esm.simulator.errors import ApiError, in_use, throttled
from bulk_esm.simulator.fleet import Fleet, partition_of
from bulk_esm.simulator.functions import Functions, full_function_arn, visibility_timeout
from bulk_esm.simulator.mapping import Mapping
from bulk_esm.simulator.merging import merged
from bulk_esm.simulator.paging import PAGE, Query, page
from bulk_esm.simulator.quota import TokenBucket
from bulk_esm.simulator.reading import as_read
from bulk_esm.simulator.refusals import check_request
from bulk_esm.simulator.registry import Registry
from bulk_esm.simulator.report import AcceptedUpdate, Kind
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.settle import Transition, settle_time, transition_of
from bulk_esm.simulator.timeline import Configuration, Timeline, Version
from bulk_esm.simulator.traffic import Series, Traffic

# Guess: Updating refuses updates and deletes, as do Creating and Deleting; proven are Enabling and Disabling (F§0.2),
# and the API's own examples name Creating and Updating (F§3.4). An update while Updating would tell.
IN_TRANSITION: Final = frozenset({State.CREATING, State.ENABLING, State.DISABLING, State.UPDATING, State.DELETING})


class Shard:
    """One account and Region.

    Args:
        account_id: 12 digits.
        region: its name.
        fleet: the mappings at the start, completed by what Lambda always shows. They are not changed in place.
        settings: what all shards share.
    """

    def __init__(self, *, account_id: str, region: str, fleet: Fleet, settings: Settings) -> None:
        self.account_id = account_id
        self.region = region
        self.partition = partition_of(region)
        self.requests: Counter[tuple[Kind, int]] = Counter()
        self.tags = dict(fleet.tags)
        self.newer = settings.newer
        self.epoch = settings.epoch
        self.quota_per_second = settings.quota_per_second
        self._settings = settings
        self.faults = settings.faults
        self.alarms: dict[str, Alarm] = {}
        self.calendars: dict[str, Calendar] = {}
        self.traffic: Traffic | None = None
        self._created = 0
        self._quota = TokenBucket.of(settings)
        self._functions_quota = TokenBucket.of_functions(settings)
        self.functions = Functions(fleet)
        self._mappings = Registry(seed=settings.seed, kept_s=settings.faults.list_lag_s)
        self._duplicates = Duplicates()
        self._append(fleet, visible_from=-math.inf)

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._mappings

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._mappings)

    def admit(self, now: float, *, action: str = "") -> None:
        """Take a token of the quota.

        Args:
            now: virtual seconds.
            action: the IAM action of the call.

        Raises:
            ApiError: there is none.
        """
        quota = self._functions_quota if action == "lambda:GetFunction" else self._quota
        if not quota.take(now):
            raise throttled(self.faults.throttle_code, self.faults.retry_after_s)

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
        return page(self._mappings.listed, lambda mapping: self._in_list(mapping, now), query, marker, max_items)

    def get(self, uuid: str, now: float) -> Configuration:
        """Get one mapping, as SDKs show it: without the nulls of the wire.

        Raises:
            ApiError: there is none.
        """
        mapping, configuration = self._mappings.existing(uuid, now)
        return self._read(mapping, configuration)

    def names_of(self, uuid: str, now: float) -> tuple[str, ...]:
        """What a policy may call a mapping by: its ARN first, its UUID, and its function's ARN and name, if it exists.

        Args:
            uuid: the mapping's identifier.
            now: virtual seconds.
        """
        arn = f"arn:{self.partition}:lambda:{self.region}:{self.account_id}:event-source-mapping:{uuid}"
        try:
            _, configuration = self._mappings.existing(uuid, now)
        except ApiError:
            return arn, uuid
        function_arn = str(configuration["FunctionArn"])
        return arn, uuid, function_arn, function_arn.split(":")[6]

    def update(self, uuid: str, request: dict[str, Any], now: float) -> Configuration:
        """Accept an update, or refuse it.

        Args:
            uuid: the mapping's identifier.
            request: UpdateEventSourceMapping's members, within the model's bounds.
            now: virtual seconds.

        Returns:
            The body of the 202: the mapping in transition, or at rest where nothing takes time; with the old values
            for some source types (F§3.2), and with milliseconds for all (F§0.2).

        Raises:
            ApiError: there is no such mapping, it is in transition, or it cannot take the update.
        """
        mapping, before = self._mappings.existing(uuid, now)
        if before["State"] in IN_TRANSITION:
            raise in_use("update")
        check_request(request, mapping.source_type)
        if not self._settings.switches_scaling:
            check_switch(request, mapping.source_type)
        if draw(self._settings.seed, "refused", uuid) < self.faults.refused_share:
            raise visibility_timeout(30, 60)
        function_arn = self.function_arn(request["FunctionName"]) if "FunctionName" in request else None
        self.functions.check_exists(before["FunctionArn"])  # whatever the update says (F§0.2)
        after = merged(before, request, function_arn=function_arn, newer=self.newer)
        check_result(after)
        if function_arn is not None:
            self.functions.check_exists(function_arn)
            self._duplicates.check(mapping, before, function_arn, now)
            self.functions.check_timeout(before, function_arn, mapping.source_type)
            self.functions.know(function_arn)
        effect = effect_of(
            source_type=mapping.source_type,
            request=request,
            before=before,
            after=after,
            stamp=self._epoch(now),
            now=now,
            takes_s=self._takes_s(mapping, transition_of(request, before["State"])),
            scale=self._settings.settle_scale,
        )
        mapping.timeline.record(now, *effect.versions(now))
        self._perhaps_show_wrong(mapping, effect.resting, now)
        mapping.accepted.append(AcceptedUpdate(accepted_at=now, settles_at=effect.settles_at))
        return effect.answered

    def create(self, request: dict[str, Any], now: float) -> Configuration:
        """Make a mapping, or refuse to.

        Args:
            request: CreateEventSourceMapping's members, within the model's bounds.
            now: virtual seconds.

        Returns:
            The body of the 202: the mapping, Creating, or Disabled where that takes no time (F§0.2, F§3.2).

        Raises:
            ApiError: there can be no such mapping, or there is one already.
        """
        check_members(request)
        function_arn = self.function_arn(request["FunctionName"])
        uuid = self._next_uuid()
        arn = f"arn:{self.partition}:lambda:{self.region}:{self.account_id}:event-source-mapping:{uuid}"
        resting = created(request, uuid=uuid, arn=arn, function_arn=function_arn, stamp=self._epoch(now))
        check_result(resting)
        self.functions.check_exists(function_arn)
        self.functions.check_timeout(resting, function_arn, source_type_of(resting))
        mapping = Mapping(resting, Timeline(resting))
        self._duplicates.check(mapping, resting, function_arn, now)
        # Guess: a mapping takes as long to be created Enabled as to be enabled, and Disabled as a Disabled one takes to
        # be configured; captured is SQS, and DynamoDB and Kinesis created Disabled (F§0.2).
        is_enabled = resting["State"] == State.ENABLED
        takes_s = self._takes_s(mapping, Transition.ENABLE if is_enabled else Transition.CONFIGURE_DISABLED)
        answered = resting if takes_s == 0 else {**resting, "State": str(State.CREATING)}
        self.add(Fleet(mappings=[answered], tags={arn: dict(request["Tags"])} if request.get("Tags") else {}), now)
        if takes_s:
            rest = Version(now + takes_s * self._settings.settle_scale, resting)
            self._mappings.existing(uuid, now)[0].timeline.record(now, Version(now, answered), rest)
        return answered

    def series(self) -> Series | None:
        """What its functions do, as CloudWatch tells; None where nothing was said of it."""
        if self.traffic is None:
            return None
        return Series(self.traffic, iter(self), seed=self._settings.seed, epoch=self.epoch)

    def _next_uuid(self) -> str:
        self._created += 1
        dice = random.Random(f"{self._settings.seed}/{self.account_id}/{self.region}/{self._created}")  # noqa: S311 - no secret
        return str(UUID(int=dice.getrandbits(128), version=4))

    def delete(self, uuid: str, now: float) -> Configuration:
        """Begin to delete a mapping.

        Returns:
            The mapping, Deleting.

        Raises:
            ApiError: there is no such mapping, or it is in transition.
        """
        mapping, before = self._mappings.existing(uuid, now)
        if before["State"] in IN_TRANSITION:
            raise in_use("delete")
        # Guess: a Delete does not move LastModified, which shows when the configuration last changed; that it was cut
        # in its answer is captured (F§0.2), its value is not, and one deletion would tell.
        deleting = {**before, "State": str(State.DELETING)}
        takes_s = self._takes_s(mapping, Transition.DELETE)
        gone = [] if takes_s is None else [Version(now + takes_s * self._settings.settle_scale, None)]
        mapping.timeline.record(now, Version(now, deleting), *gone)
        return self._read(mapping, deleting)

    def snapshot(self, now: float) -> list[Configuration]:
        """All mappings as Get would return them, in the order in which they were made."""
        looks = ((mapping, mapping.timeline.at(now)) for mapping in self)
        return [self._read(mapping, look) for mapping, look in looks if look is not None]

    def tagged(self, now: float) -> dict[str, dict[str, str]]:
        """The tags by ARN of functions, and of those mappings that are there."""
        mappings = {configuration.get("EventSourceMappingArn") for configuration in self.snapshot(now)}
        return {arn: tags for arn, tags in self.tags.items() if ":event-source-mapping:" not in arn or arn in mappings}

    def change_behind(self, uuid: str, values: dict[str, Any], now: float) -> None:
        """Change what Get returns from now on, at once and past all rules; in transit, also what it will be at rest.

        Args:
            uuid: the mapping's identifier.
            values: members of the configuration; None removes one. LastModified moves unless it is among them, and
                shows as precisely as the source type's does.
            now: virtual seconds.

        Raises:
            ApiError: there is no such mapping.
        """

        def changed(configuration: Configuration) -> Configuration:
            merged_values = {**configuration, "LastModified": self._epoch(now), **values}
            return {name: value for name, value in merged_values.items() if value is not None}

        self._mappings.existing(uuid, now)[0].timeline.rewrite(now, changed)

    def delete_behind(self, uuid: str, now: float) -> None:
        """Delete a mapping at once.

        Raises:
            ApiError: there is no such mapping.
        """
        self._mappings.existing(uuid, now)[0].timeline.record(now, Version(now, None))

    def add(self, fleet: Fleet, now: float) -> None:
        """Add mappings, which were not there before."""
        self._append(fleet, visible_from=now)
        self.functions.add(fleet)
        self.tags.update(fleet.tags)

    def _append(self, fleet: Fleet, *, visible_from: float) -> None:
        for mapping in self._mappings.add(fleet.mappings, visible_from=visible_from):
            self._duplicates.add(mapping)

    def _in_list(self, mapping: Mapping, now: float) -> Configuration | None:
        look = mapping.in_list(now, self.faults.list_lag_s)
        return None if look is None else self._read(mapping, look)

    def _read(self, mapping: Mapping, configuration: Configuration) -> Configuration:
        return configuration if self._settings.whole_stamps else as_read(configuration, mapping.source_type)

    def _takes_s(self, mapping: Mapping, transition: Transition) -> float | None:
        """How long a call takes before `settle_scale`, 0 for no time at all; None if it never ends."""
        seed = self._settings.seed
        if draw(seed, "stuck", mapping.uuid) < self.faults.stuck_share:
            return None
        return settle_time(mapping.source_type, transition, seed=seed, uuid=mapping.uuid, nth=len(mapping.accepted))

    def _perhaps_show_wrong(self, mapping: Mapping, resting: Configuration, now: float) -> None:
        nth = len(mapping.accepted)
        if draw(self._settings.seed, "wrong", mapping.uuid, nth) < self.faults.list_wrong_share:
            opposite = State.DISABLED if resting["State"] == State.ENABLED else State.ENABLED
            mapping.wrong_look = {**resting, "State": str(opposite)}
            mapping.wrong_until = now + self.faults.list_wrong_for_s

    def _epoch(self, at: float) -> float:
        return round(self._settings.epoch + at, 3)

    def function_arn(self, name: str) -> str:
        """The full ARN that a function's name stands for here."""
        return full_function_arn(name, partition=self.partition, account_id=self.account_id, region=self.region)
