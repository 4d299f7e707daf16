"""What the table of commands, places and cases is made of: see `test_cli_table.py`."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cli_harness import ACCOUNT, Done, Inside, RunFiles, Simulated, records, wait_until

from bulk_esm.simulator import Faults, Fleet, make_fleet

SPEED = 1000.0
REGION = "us-east-1"
EACH = 8  # one mapping of each source type in each shard
LONG_SOAK = ("--waves", "1,100%", "--soak", "10m")  # what comes after the first wave never begins by itself

Mapping = dict[str, Any]


SHARD_FILES = ("run.json", "plan.jsonl", "begun.jsonl", "results.jsonl")


@dataclass(frozen=True)
class Place:
    """Where a command works.

    Attributes:
        name: of the place.
        flags: that name it.
        accounts: of its shards, all in one Region.
    """

    name: str
    flags: tuple[str, ...]
    accounts: tuple[str, ...]

    @property
    def is_fleet(self) -> bool:
        return bool(self.flags)

    @property
    def shards(self) -> tuple[str, ...]:
        return tuple(f"{account_id}-{REGION}" for account_id in self.accounts)

    @property
    def troubled(self) -> str:
        """The account that is denied or broken where one is: the only one, or the second of three."""
        return self.accounts[len(self.accounts) // 2]


_THREE = (ACCOUNT, "222222222222", "333333333333")
HOME = Place("home", (), (ACCOUNT,))
ONE = Place("one", ("--accounts", ACCOUNT, "--regions", REGION), (ACCOUNT,))
# Another account is reached through a role.
THREE = Place("three", ("--accounts", ",".join(_THREE), "--regions", REGION, "--role-name", "bulk-esm"), _THREE)
PLACES = (HOME, ONE, THREE)


@dataclass(frozen=True)
class Stage:
    """What was done before: the folder of the command line, and the mappings by shard."""

    home: Path
    mappings: dict[str, list[Mapping]]

    def copy(self, home: Path) -> "Stage":
        shutil.copytree(self.home, home, dirs_exist_ok=True)
        return replace(self, home=home)


@dataclass(frozen=True)
class Scene:
    """A command line in its folder, with the simulator that it meets."""

    place: Place
    stage: Stage
    simulated: Simulated
    inside: Inside

    def __call__(self, *arguments: str) -> Done:
        rate = () if arguments[0] in {"show", "runs"} else ("--rate", f"{12 * SPEED:g}")
        return self.inside(self.simulated.environment, *arguments, *rate)

    @property
    def runs(self) -> list[Path]:
        folder = self.stage.home / "bulk-esm-runs"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    @property
    def before(self) -> dict[str, Mapping]:
        """The mappings as the command found them, by UUID."""
        return {mapping["UUID"]: mapping for shard in self.stage.mappings.values() for mapping in shard}

    def shard_of(self, uuid: str) -> str:
        return next(
            name for name, shard in self.stage.mappings.items() if any(mapping["UUID"] == uuid for mapping in shard)
        )

    def now(self) -> dict[str, list[Mapping]]:
        return {
            f"{account_id}-{REGION}": self.simulated.ask(partial(self.simulated.simulator.snapshot, account_id, REGION))
            for account_id in self.place.accounts
        }

    def states(self) -> dict[str, str]:
        return {mapping["UUID"]: mapping["State"] for shard in self.now().values() for mapping in shard}

    def accepted(self) -> int:
        """How many updates were accepted."""
        return sum(self.simulated.accepted().values())

    def interrupted(self, *arguments: str) -> Done:
        """Run a command that soaks long, and interrupt it when an update was accepted: what else is left never begins.

        The signal goes to this process, as the command runs in it, and comes while it soaks, however long that takes.
        """
        watch = threading.Thread(target=self._interrupt, daemon=True)
        before = signal.getsignal(signal.SIGINT)
        watch.start()
        try:
            return self(*arguments)
        finally:
            watch.join()
            signal.signal(signal.SIGINT, before)

    def _interrupt(self) -> None:
        wait_until(lambda: self.accepted() > 0)
        os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def scene(
    place: Place,
    stage: Stage,
    inside: Inside,
    *,
    faults: Faults | None = None,
    clock: Callable[[], float] | None = None,
) -> Iterator[Scene]:
    """Start a simulator in which a stage's mappings are."""
    fleets = {(name.partition("-")[0], REGION): Fleet(mappings=found) for name, found in stage.mappings.items()}
    first = fleets.pop((ACCOUNT, REGION))
    settings: dict[str, Any] = {"faults": faults, "clock": clock}
    with Simulated(fleet=first, fleets=fleets, mappings=0, speed=SPEED, quota_per_second=None, **settings) as simulated:
        yield Scene(place, stage, simulated, inside)


class Stages:
    """Makes what was done before, once for each place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, Place], Stage] = {}

    def new(self, place: Place) -> Stage:
        """Nothing was done; in each shard some mappings are Enabled and some Disabled."""
        mappings = {
            f"{account_id}-{REGION}": make_fleet(EACH, seed=5, account_id=account_id, disabled_share=0.3).mappings
            for account_id in place.accounts
        }
        for shard in mappings.values():
            for mapping in shard:
                if ":kafka:" in mapping.get("EventSourceArn", ""):
                    mapping.pop("MaximumBatchingWindowInSeconds", None)  # once set, nothing can take it away (F§6.1 a)
            assert {mapping["State"] for mapping in shard} == {"Enabled", "Disabled"}
        home = self._folder / "new"
        home.mkdir(exist_ok=True)
        return Stage(home, mappings)

    def made(
        self, name: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Stage:
        """Do what a stage is named after, unless that was done before."""
        if name == "new":
            return self.new(place)
        if (name, place) not in self._made:
            home = self._folder / f"{name} {place.name}"
            home.mkdir()
            faults, interrupts, commands = STAGES[name]
            inside = Inside(home, monkeypatch, capsys)
            with scene(place, replace(self.new(place), home=home), inside, faults=faults) as there:
                for command in commands:
                    done = (there.interrupted if interrupts else there)(*command, *place.flags)
                    assert done.code in {0, 1, 130}, done.stderr
                self._made[name, place] = Stage(home, there.now())
        return self._made[name, place]


_SET_BATCH = ("--all", "--set", "BatchSize=7")
_FACTOR = ("--all", "--set", "ParallelizationFactor=3")
_WINDOW = ("--source-type", "msk", "--set", "MaximumBatchingWindowInSeconds=5", "--allow-irreversible")
_SAVED = ("--save", "plan.jsonl")
# By name: faults, whether it is interrupted, and the commands.
STAGES: dict[str, tuple[Faults | None, bool, tuple[tuple[str, ...], ...]]] = {
    "paused": (None, False, (("pause", "--all", "--yes"),)),
    "paused nothing": (None, False, (("pause", "--state", "Disabled", "--yes"),)),
    "paused twice": (
        None,
        False,
        (("pause", "--source-type", "sqs", "--yes"), ("pause", "--source-type", "msk", "--yes")),
    ),
    "failed": (Faults(refused_share=1.0), False, (("pause", "--all", "--yes", "--max-failures", "100%"),)),
    "interrupted": (None, True, (("pause", "--all", "--yes", "--max-failures", "100%", *LONG_SOAK),)),
    "interrupted early": (None, True, (("pause", "--all", "--yes", "--waves", "1,2,100%", "--soak", "10m"),)),
    "applied": (None, False, (("apply", *_SET_BATCH, "--yes"),)),
    "applied some": (None, False, (("apply", *_FACTOR, "--skip-blocked", "--yes"),)),
    "applied for good": (None, False, (("apply", *_WINDOW, "--yes"),)),
    "planned": (None, False, (("plan", *_SET_BATCH, *_SAVED),)),
    "planned some": (None, False, (("plan", *_FACTOR, *_SAVED),)),
}


def tree(run: Path) -> set[str]:
    """The files of a run's folder."""
    return {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}


def whole_tree(place: Place) -> set[str]:
    """The files of a run's folder that was carried out in all shards."""
    if not place.is_fleet:
        return {"run.json", "plan.jsonl", "begun.jsonl", "results.jsonl", "log.jsonl"}
    files = {f"shards/{name}/{file}" for name in place.shards for file in SHARD_FILES}
    return {"run.json", "fleet.json", "log.jsonl", *files}


def results_of(run: Path) -> list[dict[str, Any]]:
    """A run's results, over all its shards."""
    return [line for path in run.rglob("results.jsonl") for line in records(path.read_text(encoding="utf-8"))]


def plan_of(run: Path) -> list[dict[str, Any]]:
    """A run's plan, over all its shards."""
    return [line for path in run.rglob("plan.jsonl") for line in records(path.read_text(encoding="utf-8"))]


def requests_of(run: Path) -> dict[str, int]:
    """A run's requests by kind."""
    found: dict[str, int] = RunFiles(run).record["requests"]
    return found
