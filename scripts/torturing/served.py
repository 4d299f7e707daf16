"""The simulator's process as the torture sees it: what it accepted, and what its mappings are."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec

import bulk_esm
from torturing.server import ACCEPTED, SETTINGS, SNAPSHOT_PATH, Accepted, ServerSettings, serve
from torturing.starting import Forked, Process

Mapping = dict[str, Any]


class Served:
    """A simulator that listens."""

    def __init__(self, environment: dict[str, str], record: Path) -> None:
        self.environment = environment
        self._record = record
        self._line_length = len(msgspec.json.encode(Accepted("0" * 36))) + 1

    def accepted_count(self) -> int:
        """How many updates were accepted so far: cheap enough to be asked all the time."""
        return self._record.stat().st_size // self._line_length

    def accepted(self, since: int = 0) -> Counter[str]:
        """How many updates of each mapping were accepted.

        Args:
            since: do without the first so many.
        """
        lines = self._record.read_bytes().splitlines()[since:]
        return Counter(msgspec.json.decode(line, type=Accepted).uuid for line in lines)

    def mappings(self) -> dict[str, Mapping]:
        """All mappings of all shards by UUID, as Get returns them."""
        url = self.environment["AWS_ENDPOINT_URL"] + SNAPSHOT_PATH
        with urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback
            shards: dict[str, list[Mapping]] = json.load(answer)
        return {mapping["UUID"]: mapping for shard in shards.values() for mapping in shard}


@contextmanager
def serving(settings: ServerSettings, folder: Path, *, fork: bool = False) -> Iterator[Served]:
    """Start a simulator, whose record is kept in a folder.

    Args:
        settings: of it.
        folder: where its settings and its record are.
        fork: whether to fork it off this process.
    """
    (folder / SETTINGS).write_bytes(msgspec.json.encode(settings))
    (folder / ACCEPTED).touch()
    reading, writing = os.pipe()
    with open(reading) as told:  # noqa: PTH123 - a descriptor
        process = _forked(folder, writing) if fork else _spawned(folder, writing)
        os.close(writing)
        try:
            line = told.readline()
            if not line:
                raise SystemExit("the simulator did not start")
            yield Served(json.loads(line), folder / ACCEPTED)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _spawned(folder: Path, stdout: int) -> Process:
    paths = os.pathsep.join(str(Path(file).parents[1]) for file in (__file__, bulk_esm.__file__))
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "torturing.server", str(folder)]
    return subprocess.Popen(command, stdout=stdout, env=environment)  # noqa: S603 - ours


def _forked(folder: Path, stdout: int) -> Process:
    pid = os.fork()
    if pid:
        return Forked(pid)
    try:
        os.dup2(stdout, 1)
        asyncio.run(serve(folder))
    finally:
        os._exit(0)
