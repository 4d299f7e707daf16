"""A simulator in a process of its own, which notes on disk each update that it accepts, at that very instant.

    python -m torturing.server FOLDER

Reads `FOLDER/settings.json`, and writes `FOLDER/accepted.jsonl`: a line of the same length for each accepted update.
Prints the environment for clients once it listens; ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import io
import random
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from bulk_esm.simulator import Faults, Fleet, Simulator, make_fleet

REGION: Final = "us-east-1"
SNAPSHOT_PATH: Final = "/_torture/snapshot"
SETTINGS: Final = "settings.json"
ACCEPTED: Final = "accepted.jsonl"


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulator is started with.

    Attributes:
        accounts: whose shards there are, all in one Region; the first is that of the credentials.
        mappings: of each shard.
        late_share: share of updates that are long on their way: they are applied so late, whoever still waits.
        late_s: at most how late, in real seconds.
    """

    accounts: tuple[str, ...]
    mappings: int
    seed: int
    speed: float
    quota_per_second: float
    settle_scale: float
    faults: Faults
    late_share: float = 0.0
    late_s: float = 0.0


class Accepted(msgspec.Struct, frozen=True):
    """A line of the record: that an update of a mapping was accepted."""

    uuid: str


class _Noting(list[Any]):
    """A mapping's accepted updates, each of which is on disk as soon as it is in here."""

    def __init__(self, uuid: str, file: io.RawIOBase, items: Iterable[Any]) -> None:
        super().__init__(items)
        self._line = msgspec.json.encode(Accepted(uuid)) + b"\n"
        self._file = file

    def append(self, update: Any) -> None:
        super().append(update)
        self._file.write(self._line)


class RecordingSimulator(Simulator):
    """A simulator that keeps its record on disk, shows all shards at once, and that some updates reach late."""

    def __init__(self, settings: ServerSettings, record: Path) -> None:
        """Fill the shards.

        Args:
            settings: what to start with.
            record: the file of accepted updates.
        """
        self._late = settings
        self._dice = random.Random(settings.seed)  # noqa: S311 - faults are no secret
        fleets = {(account, REGION): fleet_of(settings, account) for account in settings.accounts}
        first = settings.accounts[0]
        super().__init__(
            fleet=fleets.pop((first, REGION)),
            fleets=fleets,
            mappings=0,
            account_id=first,
            seed=settings.seed,
            speed=settings.speed,
            quota_per_second=settings.quota_per_second,
            burst=settings.quota_per_second,
            settle_scale=settings.settle_scale,
            faults=settings.faults,
        )
        file = record.open("ab", buffering=0)
        for shard in self._world:
            for mapping in shard:
                mapping.accepted = _Noting(mapping.uuid, file, mapping.accepted)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == SNAPSHOT_PATH:
            found = {f"{shard.account_id}-{shard.region}": shard.snapshot(self.now) for shard in self._world}
            return web.Response(body=msgspec.json.encode(found), content_type="application/json")
        if request.method == "PUT" and self._dice.random() < self._late.late_share:
            await request.read()  # all of it has left its client, who may be killed by now
            await asyncio.sleep(self._dice.uniform(0, self._late.late_s))
        return await super()._handle(request)


def fleet_of(settings: ServerSettings, account_id: str) -> Fleet:
    """The mappings of an account, all in different states of configuration."""
    return make_fleet(settings.mappings, seed=settings.seed, account_id=account_id, region=REGION)


async def serve(folder: Path) -> None:
    """Listen until SIGTERM."""
    settings = msgspec.json.decode((folder / SETTINGS).read_bytes(), type=ServerSettings)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with RecordingSimulator(settings, folder / ACCEPTED) as simulator:
        print(msgspec.json.encode(simulator.environment).decode(), flush=True)
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
