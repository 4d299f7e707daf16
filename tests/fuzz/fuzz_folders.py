"""Run folders of every kind, as this version leaves them: made once by real commands, and copied for each trial."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fuzz_command import ACCOUNT, HOME, STARTED_AT, Place, Service, command

from bulk_esm.simulator.api import Answer
from bulk_esm.simulator.fleet import Fleet
from bulk_esm.simulator.routes import Request

RUNS: Final = "bulk-esm-runs"
PLACES: Final[tuple[Place, ...]] = (HOME, ("222222222222", "us-east-1"), (ACCOUNT, "eu-west-1"))
_FLEET: Final = ("--accounts", "123456789012,222222222222", "--role-name", "r")
_AN_HOUR_AGO: Final = STARTED_AT.timestamp() - 3600
_MAPPINGS: Final = 8
_AT_REST: Final = {"Disabling": "Disabled", "Enabling": "Enabled", "Updating": "Enabled"}

Mappings = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Scenario:
    """A folder of runs, and the mappings as they were when it was left so.

    Attributes:
        name: what happened.
        folder: the runs.
        run: the name of the run that matters.
        mappings: by account and Region.
        is_fleet: whether it was a run over several.
    """

    name: str
    folder: Path
    run: str
    mappings: dict[Place, Mappings]
    is_fleet: bool

    @property
    def path(self) -> Path:
        """The run's own folder."""
        return self.folder / self.run

    def service(self) -> Service:
        """Lambda as it was then."""
        return Service({place: Fleet(mappings=list(found.values())) for place, found in self.mappings.items()})

    @contextmanager
    def copied(self, home: Path) -> Iterator[Path]:
        """A copy of the folder in a home, an hour old."""
        copy = home / RUNS
        shutil.copytree(self.folder, copy)
        age(copy)
        try:
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def age(folder: Path) -> None:
    """Date all of a folder an hour before the time that tests begin with."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (_AN_HOUR_AGO, _AN_HOUR_AGO), follow_symlinks=False)


def at_rest(service: Service) -> dict[Place, Mappings]:
    """All mappings as they are, and will be when they have come to rest."""
    found = {place: service.mappings(place) for place in PLACES}
    for mapping in (each for of_place in found.values() for each in of_place.values()):
        mapping["State"] = _AT_REST.get(mapping["State"], mapping["State"])
    return found


class _Maker:
    """Makes one scenario after another, each in a home of its own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.made: dict[str, Scenario] = {}

    def fresh(self, name: str) -> tuple[Service, Path]:
        home = self._home / name
        home.mkdir()
        return Service.of_size(_MAPPINGS), home

    def keep(self, name: str, service: Service, runs: Path, *, at: dict[Place, Mappings] | None = None) -> None:
        found = sorted(path for path in runs.iterdir() if not path.name.startswith("."))
        self.made[name] = Scenario(
            name=name,
            folder=runs,
            run=found[-1].name,
            mappings=at or at_rest(service),
            is_fleet=(found[-1] / "fleet.json").exists(),
        )

    def ended(self, name: str, *commands: tuple[str, ...], expected: int = 0) -> None:
        service, home = self.fresh(name)
        for arguments in commands:
            done = command(service, *arguments, home=home)
        assert done.code == expected, done.stderr
        self.keep(name, service, home / RUNS)

    def halted(self, name: str) -> None:
        service, home = self.fresh(name)
        [gone] = list(service.mappings(HOME).values())[3:4]
        service.world.shard(*HOME).functions.delete(gone["FunctionArn"])
        arguments = ("apply", "--all", "--set", "BatchSize=7", "--max-failures", "0", "--waves", "2,4,100%", "--yes")
        done = command(service, *arguments, home=home)
        assert done.code == 3, done.stderr
        service.world.shard(*HOME).functions.restore(gone["FunctionArn"])
        self.keep(name, service, home / RUNS)

    def killed(self, name: str, *arguments: str, at: int, method: str = "PUT") -> None:
        """As it stands on disk just after Lambda has taken the request, and before its answer arrives."""
        service, home = self.fresh(name)
        seen = 0
        left = self._home / f"{name}-left"

        def watched(request: Request, found: Answer) -> Answer:
            nonlocal seen
            seen += request.method == method and (method == "PUT" or request.query.get("Marker") is None)
            if seen == at and not left.exists():
                shutil.copytree(home / RUNS, left)
                mappings.update(at_rest(service))
            return found

        mappings: dict[Place, Mappings] = {}
        service.answered = watched
        done = command(service, *arguments, home=home)
        assert left.exists(), done.stderr
        self.keep(name, service, left, at=mappings)


def make_scenarios(home: Path) -> dict[str, Scenario]:
    """Make them all below a folder."""
    maker = _Maker(home)
    pause = ("pause", "--all", "--yes")
    apply = ("apply", "--all", "--set", "MaximumRetryAttempts=3", "--set", "BatchSize=5", "--yes", "--skip-blocked")
    maker.ended("pause-finished", pause)
    maker.ended("apply-finished", apply)
    maker.ended("rollback-finished", apply, ("rollback", "last", "--yes"))
    maker.ended("fleet-finished", (*pause, *_FLEET))
    maker.halted("apply-halted")
    maker.killed("pause-killed", *pause, at=5)
    maker.killed("waves-killed", *pause, "--waves", "2,50%,100%", at=3)
    maker.killed("fleet-killed", *pause, *_FLEET, at=9)
    return maker.made
