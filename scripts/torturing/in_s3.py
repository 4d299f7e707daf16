"""Rounds whose runs are kept in S3: each process is a machine of its own, with an empty home and temporary folder.

The machines have nothing in common but the bucket.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from s3_server import BUCKET, REGION, S3Server

from torturing.disturbing import Disturbance, Ended
from torturing.playing import Player
from torturing.rounds import Round
from torturing.served import Served

_LISTED_EVERY_S: Final = 0.03


class S3Way(NamedTuple):
    """An S3, and how commands reach it.

    Attributes:
        server: the S3.
        url: a proxy before it.
    """

    server: S3Server
    url: str


class PlayerInS3(Player):
    """Plays one round whose runs are kept in S3.

    Args:
        s3: the S3.
        locks: whether a machine waits until the lease of one that was killed is over.
    """

    def __init__(self, drawn: Round, served: Served, folder: Path, *, s3: S3Way, fork: bool, locks: bool) -> None:
        super().__init__(drawn, served, folder, fork=fork)
        self._url = s3.url
        self._prefix = f"{drawn.seed}-{drawn.number}-{os.getpid()}"
        self._server = s3.server
        self._machines = 0
        self._locks = locks
        self._listed: tuple[float, frozenset[Path]] = (0.0, frozenset())

    def _process(
        self,
        operation: Any,
        arguments: Sequence[str],
        disturbance: Disturbance,
        *,
        runs: frozenset[Path] = frozenset(),
    ) -> Ended:
        before, self._machines = self._home, self._machines + 1
        self._home = self._folder / f"machine-{self._machines}"
        (self._home / "tmp").mkdir(parents=True)
        for path in before.glob("s*.*"):  # the selection, and a saved plan
            shutil.copy(path, self._home)
        lock = [] if self._locks or arguments[0] == "plan" else ["--no-lock"]
        return super()._process(operation, [*arguments, *lock], disturbance, runs=runs)

    def _environment(self) -> dict[str, str]:
        place = f"s3://{BUCKET}/{self._prefix}"
        more = {"AWS_ENDPOINT_URL_S3": self._url, "BULK_ESM_RUNS_DIR": place, "TMPDIR": str(self._home / "tmp")}
        return super()._environment() | more

    def _runs(self) -> frozenset[Path]:
        now = time.monotonic()
        if now - self._listed[0] > _LISTED_EVERY_S:
            keys = [key.split("/") for key in self._server.keys(f"{self._prefix}/")]
            # A run is there when its record is, which is written last.
            self._listed = (time.monotonic(), frozenset(Path(key[1]) for key in keys if key[2:] == ["run.json"]))
        return self._listed[1]

    def _lines(self, run: Path | None, name: str) -> list[dict[str, Any]]:
        if run is None:
            return []
        there = self._folder / "read" / run
        if not there.exists():
            there.parent.mkdir(exist_ok=True)
            self._fetch(run, there)
        return super()._lines(there, name)

    def _fetch(self, run: Path, there: Path) -> None:
        command = [sys.executable, "-m", "bulk_esm", "runs", "--run", str(run), "--copy-to", str(there.parent)]
        environment = self._environment() | {"AWSREGION": REGION}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if done.returncode:
            raise SystemExit(f"{run} cannot be read: {done.stderr}")
