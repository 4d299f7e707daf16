"""moto's S3 as a process of its own, a bucket in it, and what the environment must say to reach it alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

REGION = "eu-west-1"
BUCKET = "bulk-esm-tests"
_PROCESS = Path(__file__).with_name("s3_process.py")


@dataclass(frozen=True)
class S3Server:
    """Where it is."""

    endpoint_url: str

    def environment(self, endpoint_url: str | None = None) -> dict[str, str]:
        """What a process needs to reach it, or a proxy before it, and nothing else."""
        return {
            "AWS_ENDPOINT_URL_S3": endpoint_url or self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bodies(self, prefix: str = "") -> dict[str, bytes]:
        """All objects below a prefix, read by another client than ours."""
        client = self._client()
        found = client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        return {each["Key"]: client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found}

    def put(self, key: str, body: bytes) -> None:
        self._client().put_object(Bucket=BUCKET, Key=key, Body=body)

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects below a prefix."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def head(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client().head_object(Bucket=BUCKET, Key=key)
        return found

    def delete(self, key: str) -> None:
        self._client().delete_object(Bucket=BUCKET, Key=key)

    def create_bucket(self) -> None:
        self._client().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def _client(self) -> Any:
        return _client_of(self.endpoint_url)


@cache
def _client_of(endpoint_url: str) -> Any:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.client("s3", endpoint_url=endpoint_url, region_name=REGION, **keys)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Serve until the end of the block."""
    with subprocess.Popen(
        [sys.executable, str(_PROCESS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        port = process.stdout.readline().strip()
        assert port.isdigit(), "moto did not start"
        server = S3Server(f"http://127.0.0.1:{port}")
        server.create_bucket()
        yield server
        process.stdin.close()


def only_s3(patch: pytest.MonkeyPatch, environment: dict[str, str], home: Path) -> None:
    """Let nothing else be reached from this process."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BULK_ESM_"))]:
        patch.delenv(name)
    for name, value in environment.items():
        patch.setenv(name, value)
    patch.setenv("AWS_CONFIG_FILE", str(home / "no-config"))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "no-credentials"))
