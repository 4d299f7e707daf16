"""A few mappings in one shard or three, in virtual time, whose List shows nothing of what happens: files must tell."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine_world import a_mapping, simulated, virtual_clock

from bulk_esm import BulkEsm, Change, Intent, Run, Selection, connect
from bulk_esm.cli.exit_codes import exit_code
from bulk_esm.errors import BulkEsmError
from bulk_esm.shards.settings import FleetSettings
from bulk_esm.simulator import Faults, Fleet, Simulator
from bulk_esm.store.run_files import RunFiles

ACCOUNT = "123456789012"
REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
LAGGING = Faults(list_lag_s=1e9)
PAUSE = Change({"Enabled": False})
EVERYTHING = Selection(all=True)


def mappings(region: str, count: int) -> Fleet:
    """The mappings of a shard, the last of them paused already."""
    first = REGIONS.index(region) * 100
    made = [a_mapping(first + number) for number in range(count)]
    made[-1]["State"] = "Disabled"
    return Fleet(mappings=made)


@asynccontextmanager
async def world(
    runs_dir: Path, *, regions: tuple[str, ...], each: int, faults: Faults = LAGGING, **simulator: Any
) -> AsyncIterator[World]:
    """The mappings of some Regions, and a program that uses the Python API; a fleet if there are several."""
    fleets = {(ACCOUNT, region): mappings(region, each) for region in regions[1:]}
    clock = None
    async with simulated(fleet=mappings(regions[0], each), fleets=fleets, faults=faults, **simulator) as there:
        clock = virtual_clock()
        settings = FleetSettings(regions=regions) if len(regions) > 1 else None
        # Without the kernel's lock, which a kill frees: what dies here lives in the same process.
        async with connect(clock=clock, runs_dir=runs_dir, fleet=settings, lock=False) as bulk:
            bulk.home.control_plane._jitter = random.Random(1)  # noqa: S311 - jitter is no secret
            yield World(there, bulk, regions)


class World:
    """What the tests do, and what must hold.

    Attributes:
        enabled: the mappings that were enabled in the beginning.
    """

    def __init__(self, simulator: Simulator, bulk: BulkEsm, regions: tuple[str, ...]) -> None:
        self.simulator = simulator
        self.bulk = bulk
        self.regions = regions
        self.enabled = {uuid for uuid, state in self.states().items() if state == "Enabled"}
        self._before: Counter[str] = Counter()

    def begin_anew(self, runs_dir: Path) -> None:
        """All is as it was in the beginning, and nothing was ever accepted, nor any run kept."""
        runs_dir.mkdir()
        self.bulk.runs_dir = self.bulk._earlier = runs_dir
        for uuid in self.enabled:
            self.simulator.change_behind(uuid, State="Enabled")
        self._before = self._all_accepted()

    def states(self) -> dict[str, str]:
        return {
            mapping["UUID"]: mapping["State"]
            for region in self.regions
            for mapping in self.simulator.snapshot(ACCOUNT, region)
        }

    def accepted(self) -> dict[str, int]:
        """How often an update of each mapping was accepted since it began."""
        return {uuid: count - self._before[uuid] for uuid, count in self._all_accepted().items()}

    def _all_accepted(self) -> Counter[str]:
        return Counter({each.uuid: each.accepted_count for each in self.simulator.report().mappings})

    async def pause(self) -> int:
        """Pause everything, as the command line does.

        Returns:
            The exit code.
        """
        try:
            plan = await self.bulk.plan(EVERYTHING, PAUSE)
            with plan:
                run = self.bulk.prepare(plan, intent=Intent(command="pause"))
                return await self._carried_out(run)
        except BulkEsmError as error:
            return error.exit_code

    async def go_on(self, files: RunFiles) -> int:
        """Continue a run, as the command line does.

        Returns:
            The exit code.
        """
        try:
            rest = await self.bulk.plan_rest(files)
            return await self._carried_out(rest.begin())
        except BulkEsmError as error:
            return error.exit_code

    @staticmethod
    async def _carried_out(run: Run) -> int:
        await run.carry_out()
        return exit_code(run.record, [progress.problem for progress in run.progress])
