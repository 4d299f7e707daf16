"""Reads alarms in many shards, each with its own credentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import anyio

from bulk_esm.aws.session import Connection
from bulk_esm.engine.task_groups import task_group
from bulk_esm.errors import BulkEsmError
from bulk_esm.executors.open_shards import settings_of
from bulk_esm.gates.alarm import Found
from bulk_esm.model.shard import Shard
from bulk_esm.runs.fleet import Fleet

_AT_ONCE: Final = 20
_FLAG: Final = "--shard-alarm"


async def read_shard_alarms(
    fleet: Fleet, home: Connection, names: tuple[str, ...], shards: Sequence[Shard]
) -> Mapping[str, Found]:
    """Read alarms in some shards.

    That is done by this process, whoever updates mappings there, through ways in of its own: what is refused there must
    not end the work, and what was asked for does not count as its requests.

    Args:
        fleet: how they are reached.
        home: where all starts from.
        names: of the alarms.
        shards: the shards.

    Returns:
        How they stand in each, or why that cannot be read, by the shard's name.
    """
    found: dict[str, Found] = {}
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def read(shard: Shard) -> None:
        async with limiter:
            try:
                if not fleet.is_named:
                    found[shard.name] = await home.alarms(names, flag=_FLAG)
                    return
                async with home.beside(settings_of(shard, fleet.reach)) as there:
                    found[shard.name] = await there.alarms(names, flag=_FLAG)
            except BulkEsmError as error:
                found[shard.name] = error

    async with task_group() as tasks:
        for shard in shards:
            tasks.start_soon(read, shard)
    return {shard.name: found[shard.name] for shard in shards}
