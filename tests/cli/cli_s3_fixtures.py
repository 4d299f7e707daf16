"""Fixtures of runs in S3; test files name this in `pytest_plugins`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import Simulated
from cli_s3 import World
from s3_server import S3Server, s3_server

from bulk_esm.simulator import make_fleet


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def world(s3: S3Server, tmp_path: Path) -> Iterator[World]:
    with Simulated(fleet=make_fleet(300, disabled_share=0.2)) as simulated:
        yield World(simulated, s3, tmp_path, f"{tmp_path.name}/runs")
