"""A disk that fails at its nth write, sync or rename, for every n: nothing is lost, and `continue` does the rest."""

from __future__ import annotations

import errno
import io
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_world import in_virtual_time
from faults_world import REGIONS, World, world

from bulk_esm.store import disk
from bulk_esm.store.run_files import RunFiles

REALLY: dict[str, Callable[..., Any]] = {"write": disk.write, "sync": disk.sync, "rename": disk.rename}


class FailingDisk:
    """Counts the calls that reach the disk, and lets one of them fail, or all from one on.

    Attributes:
        calls: how many there were.
    """

    def __init__(self, at: int | None, number: int, *, torn: bool = False, for_good: bool = False) -> None:
        self.calls = 0
        self._at = at
        self._error = number
        self._torn = torn
        self._for_good = for_good

    def write(self, file: io.RawIOBase, data: bytes) -> None:
        if self._fails() and self._torn:
            REALLY["write"](file, data[: len(data) // 2])
        self._fail_or("write", file, data)

    def sync(self, descriptor: int) -> None:
        assert os.fstat(descriptor)
        if self._fails():
            raise self._error_now()  # else nothing: no power is cut here, and it takes most of the time

    def rename(self, path: Path, name: Path) -> None:
        self._fails()
        self._fail_or("rename", path, name)

    def _fails(self) -> bool:
        self.calls += 1
        return self._is_failing

    @property
    def _is_failing(self) -> bool:
        return self._at is not None and (self.calls == self._at or (self._for_good and self.calls > self._at))

    def _fail_or(self, name: str, *arguments: object) -> None:
        if self._is_failing:
            raise self._error_now()
        REALLY[name](*arguments)

    def _error_now(self) -> OSError:
        return OSError(self._error, os.strerror(self._error))


KINDS: dict[str, Callable[[int], FailingDisk]] = {
    "once": lambda at: FailingDisk(at, errno.EIO),
    "torn, once": lambda at: FailingDisk(at, errno.EIO, torn=True),
    "full from then on": lambda at: FailingDisk(at, errno.ENOSPC, torn=True, for_good=True),
}


@pytest.fixture(autouse=True)
def healthy() -> Iterator[None]:
    with on(FailingDisk(None, 0)):
        yield


def kind_of(kind: str, at: int) -> FailingDisk:
    """One kind of failure, or each in turn."""
    return (KINDS[kind] if kind in KINDS else list(KINDS.values())[at % len(KINDS)])(at)


@contextmanager
def on(failing: FailingDisk) -> Iterator[FailingDisk]:
    with pytest.MonkeyPatch.context() as patch:
        for name in REALLY:
            patch.setattr(disk, name, getattr(failing, name))
        yield failing


@contextmanager
def folders() -> Iterator[Iterator[Path]]:
    """Folders for runs, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        yield (Path(folder) / str(number) for number in itertools.count())


def runs_in(folder: Path) -> list[RunFiles]:
    return [RunFiles(path) for path in folder.iterdir() if not path.name.startswith(".")]


def check_that_nothing_is_lost(there: World, files: RunFiles) -> None:
    """Each accepted update has a result, or is among those that are looked at."""
    found = RunFiles(files.path)
    known = {result.uuid for result in found.results()}
    for shard in found.planned():
        known |= found.shard(shard).begun() or {item.uuid for item in found.shard(shard).plan().items}
    assert {uuid for uuid, count in there.accepted().items() if count} <= known


def check_the_end(there: World, files: RunFiles) -> None:
    found = RunFiles(files.path)
    results = [result.uuid for result in found.results()]
    assert sorted(results) == sorted(there.states())
    assert set(there.states().values()) == {"Disabled"}
    assert there.accepted() == dict.fromkeys(there.states(), 0) | dict.fromkeys(there.enabled, 1)
    assert found.record().status == "finished"
    assert list(files.path.rglob("*.tmp")) == []


async def calls_of(there: World, folder: Path) -> tuple[int, int]:
    """How many calls a run takes until it is one, and to its end."""
    there.begin_anew(folder)
    renamed: list[int] = []
    with on(FailingDisk(None, 0)) as healthy:

        def watched(path: Path, name: Path) -> None:
            healthy.rename(path, name)
            if name.parent == folder:
                renamed.append(healthy.calls + 1)  # the folder above it comes to disk, too

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(disk, "rename", watched)
            assert await there.pause() == 0
    check_the_end(there, runs_in(folder)[0])
    return renamed[0], healthy.calls


@pytest.mark.parametrize(
    ("regions", "each", "kind"), [*((REGIONS[:1], 4, kind) for kind in KINDS), (REGIONS, 2, "each in turn")]
)
@in_virtual_time
async def test_whichever_call_fails(regions: tuple[str, ...], each: int, kind: str) -> None:
    with folders() as fresh:
        async with world(next(fresh), regions=regions, each=each) as there:
            planned, calls = await calls_of(there, next(fresh))
            assert calls > planned + 4
            for at, folder in zip(range(1, calls + 1), fresh, strict=False):
                there.begin_anew(folder)
                with on(kind_of(kind, at)):
                    code = await there.pause()
                if at <= planned:  # nothing was sent, and it is no run
                    assert (code, runs_in(folder), sum(there.accepted().values())) == (2, [], 0), at
                    assert await there.pause() == 0
                else:
                    assert code == 3, at
                    [files] = runs_in(folder)
                    check_that_nothing_is_lost(there, files)
                    assert await there.go_on(RunFiles(files.path)) == 0, at
                check_the_end(there, runs_in(folder)[0])


@in_virtual_time
async def test_whichever_call_fails_when_it_is_continued() -> None:
    """A run that was cut by its disk, and then again while it goes on."""
    with folders() as fresh:
        async with world(next(fresh), regions=REGIONS[:1], each=4) as there:
            planned, calls = await calls_of(there, next(fresh))
            for first in (planned + 3, calls - 4):
                for at in itertools.count(1):
                    folder = next(fresh)
                    there.begin_anew(folder)
                    with on(KINDS["full from then on"](first)):
                        assert await there.pause() == 3
                    [files] = runs_in(folder)
                    with on(kind_of("each in turn", at)) as failing:
                        code = await there.go_on(RunFiles(files.path))
                    check_that_nothing_is_lost(there, files)
                    if failing.calls < at:
                        assert (code, at > 5) == (0, True)
                        check_the_end(there, files)
                        break
                    assert code in {2, 3}
                    assert await there.go_on(RunFiles(files.path)) == 0
                    check_the_end(there, files)
