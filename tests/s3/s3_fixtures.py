"""A bucket at moto's S3, empty for each test, and a proxy before it; test files name this in `pytest_plugins`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_proxy import S3Proxy, s3_proxy
from s3_server import S3Server, only_s3, s3_server


@pytest.fixture(scope="session")
def s3_process() -> Iterator[S3Server]:
    """One server for each worker."""
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_process: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """An empty bucket, which the environment names as the only place there is."""
    for key in s3_process.bodies():
        s3_process.delete(key)
    only_s3(monkeypatch, s3_process.environment(), tmp_path)
    return s3_process


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """A way to that bucket on which accidents happen."""
    with s3_proxy(s3.endpoint_url) as found:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", found.url)
        yield found
