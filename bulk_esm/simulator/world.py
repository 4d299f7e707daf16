"""All accounts and Regions of one simulator, made when they are first asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import msgspec

from bulk_esm.simulator.errors import not_found
from bulk_esm.simulator.faults import Faults
from bulk_esm.simulator.fleet import Fleet, make_fleet
from bulk_esm.simulator.report import MappingReport, Report, RequestCount
from bulk_esm.simulator.settings import Settings
from bulk_esm.simulator.shard import Shard


class World:
    """The shards by account and Region.

    Args:
        settings: what they share.
        mappings: how many mappings a shard has whose fleet is not given.
        fleets: the fleets of some accounts and Regions.
        faults: what goes wrong in some accounts and Regions, in place of the settings' faults.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        mappings: int,
        fleets: Mapping[tuple[str, str], Fleet],
        faults: Mapping[tuple[str, str], Faults],
    ) -> None:
        self.settings = settings
        self._faults = dict(faults)
        self._mappings = mappings
        self._shards = {place: self._made(*place, fleet) for place, fleet in fleets.items()}

    def __iter__(self) -> Iterator[Shard]:
        return iter(self._shards.values())

    def shard(self, account_id: str, region: str) -> Shard:
        """The shard of an account and Region; a new one is filled from the seed, the same in every run."""
        place = (account_id, region)
        if place not in self._shards:
            fleet = make_fleet(self._mappings, seed=self.settings.seed, account_id=account_id, region=region)
            self._shards[place] = self._made(*place, fleet)
        return self._shards[place]

    def of(self, uuid: str) -> Shard:
        """The shard that has a mapping.

        Raises:
            ApiError: none has it.
        """
        for shard in self:
            if uuid in shard:
                return shard
        raise not_found()

    def report(self, now: float, *, speed: float) -> Report:
        """What was seen so far.

        Args:
            now: virtual seconds.
            speed: virtual seconds in a real one.
        """
        mappings = [
            MappingReport(
                uuid=mapping.uuid,
                account_id=shard.account_id,
                region=shard.region,
                source_type=mapping.source_type,
                state=mapping.state(now),
                accepted_count=len(mapping.accepted),
                accepted=list(mapping.accepted),
            )
            for shard in self
            for mapping in shard
        ]
        return Report(
            speed=speed,
            now=now,
            started_at=self.settings.epoch,
            requests=[
                RequestCount(account_id=shard.account_id, region=shard.region, kind=kind, status=status, count=count)
                for shard in self
                for (kind, status), count in shard.requests.items()
            ],
            mappings=mappings,
            states=dict(Counter(mapping.state for mapping in mappings if mapping.state is not None)),
        )

    def _made(self, account_id: str, region: str, fleet: Fleet) -> Shard:
        faults = self._faults.get((account_id, region), self.settings.faults)
        settings = msgspec.structs.replace(self.settings, faults=faults)
        return Shard(account_id=account_id, region=region, fleet=fleet, settings=settings)
