"""Fixtures for the tests against moto; each test file names this module in `pytest_plugins`."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from moto_account import REGION, Fleet, MotoAccount, create_fleet

from bulk_esm import BulkEsm, connect

# So fast that the first look comes within about a tenth of a second: moto settles at once.
FAST = 2_000


@pytest.fixture(scope="session")
def moto_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoAccount]:
    """One server for each worker; its log is for whoever wants to know why it did not start."""
    log = tmp_path_factory.mktemp("moto") / "server.log"
    with (
        log.open("w") as log_file,
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("moto_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
            env=os.environ | {"TZ": "UTC"},  # moto's LastModified takes a way through local time
        ) as process,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert process.stdin
        assert process.stdout
        port = process.stdout.readline().strip()
        assert port.isdigit(), f"moto did not start:\n{log.read_text()}"
        endpoint_url = f"http://127.0.0.1:{port}"
        _only_moto(patch, endpoint_url, log.parent)
        account = MotoAccount(endpoint_url)
        patch.undo()
        yield account
        account.close()
        process.stdin.close()


@pytest.fixture
def moto(moto_process: MotoAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MotoAccount:
    """An empty account, which the environment names as the only one there is."""
    _only_moto(monkeypatch, moto_process.endpoint_url, tmp_path)
    moto_process.reset()
    return moto_process


@pytest.fixture
def fleet(moto: MotoAccount) -> Fleet:
    return create_fleet(moto)


@pytest_asyncio.fixture
async def bulk(moto: MotoAccount, tmp_path: Path) -> AsyncIterator[BulkEsm]:
    async with connect(max_per_second=FAST, timeout_s=300, runs_dir=tmp_path / "runs") as opened:
        yield opened


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(moto: MotoAccount) -> Cli:
    """The command line, as a user starts it, with warnings as errors."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "bulk_esm", *arguments, "--rate", str(FAST)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def _only_moto(patch: pytest.MonkeyPatch, endpoint_url: str, folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "BULK_ESM_", "XDG_"))]:
        patch.delenv(name)
    patch.setenv("AWS_ENDPOINT_URL", endpoint_url)
    patch.setenv("AWS_REGION", REGION)
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_CONFIG_FILE", str(folder / "no-config"))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "no-credentials"))
    patch.setenv("BULK_ESM_RUNS_DIR", str(folder / "runs"))
