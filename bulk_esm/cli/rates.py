"""`--rate auto`: each account and Region at the rate that leaves room for others there."""

from __future__ import annotations

from typing import Final

import anyio
import msgspec

from bulk_esm.aws.session import ConnectionSettings
from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.streams import say
from bulk_esm.doctor.rates import FoundRate, find_rate
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import BulkEsmError
from bulk_esm.model.shard import Shard

_AT_ONCE: Final = 20
_MOST_TOLD: Final = 10


async def at_found_rates(bulk: BulkEsm) -> BulkEsm:
    """The same, at the rates that were found. A shard that has one of its own keeps it.

    Args:
        bulk: the shards.
    """
    found = await _found(bulk)
    for name, rate in list(found.items())[:_MOST_TOLD]:
        where = f" in {name}" if bulk.fleet.is_named else ""
        say(f"--rate auto{where}: {rate.told}")
    if len(found) > _MOST_TOLD:
        say(f"--rate auto: and so in {len(found) - _MOST_TOLD:,} more; bulk-esm doctor tells of each")
    shards = tuple(
        msgspec.structs.replace(shard, max_per_second=found[shard.name].per_second) if shard.name in found else shard
        for shard in bulk.shards
    )
    if not found:
        return bulk
    # What a shard is not named by, such as a run's that is taken up, goes at the lowest of them.
    lowest = min(rate.per_second for rate in found.values())
    reach = msgspec.structs.replace(bulk.fleet.reach, max_per_second=lowest)
    there = bulk.among(shards if bulk.fleet.is_named else bulk.shards, failed=bulk.fleet.failed)
    there.fleet = msgspec.structs.replace(there.fleet, reach=reach)
    for shard in bulk.shards:
        if shard.name in found and shard.way == (bulk.home.profile, None, None, bulk.home.region):
            bulk.home.control_plane.pacer.max_per_second = found[shard.name].per_second
    return there


async def _found(bulk: BulkEsm) -> dict[str, FoundRate]:
    limiter, found = anyio.CapacityLimiter(_AT_ONCE), dict.fromkeys(shard.name for shard in bulk.shards)
    now = bulk.fleet.clock.now()

    async def one(shard: Shard) -> None:
        if shard.max_per_second is not None:
            return
        settings = ConnectionSettings(
            region=shard.region,
            profile=shard.profile,
            role_arn=shard.role_arn,
            external_id=shard.external_id,
            endpoint_url=bulk.fleet.reach.endpoint_url,
        )
        async with limiter:
            try:
                async with bulk.home.beside(settings) as connection:
                    found[shard.name] = await find_rate(connection, now=now)
            except BulkEsmError as error:  # whoever works there tells of it
                found[shard.name] = FoundRate(problem=error)

    async with task_group() as tasks:
        for shard in bulk.shards:
            tasks.start_soon(one, shard)
    return {name: rate for name, rate in found.items() if rate is not None}
