"""A bucket in memory that can be cut off after so many writes, as a machine that dies then leaves it."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import anyio
from anyio.from_thread import BlockingPortal

from bulk_esm.aws.bucket import Bucket, Entry, Found
from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.errors import NotAsExpectedError, ServiceError
from bulk_esm.store.s3.thread import BucketThread

SETTINGS = BucketSettings(bucket="toy-runs", prefix="team/")


class ToyBucket(Bucket):
    """What S3 is for us.

    Attributes:
        objects: bodies and metadata by key.
        writes: how many were applied.
        most_writes: those after so many fail, and are not applied.
    """

    def __init__(self) -> None:
        self.settings = SETTINGS
        self.objects: dict[str, Found] = {}
        self.writes = 0
        self.most_writes: int | None = None

    async def get(self, key: str) -> Found | None:
        return self.objects.get(key)

    async def head(self, key: str) -> Found | None:
        return self.objects.get(key)

    async def download(self, key: str, path: Path) -> Found | None:
        found = self.objects.get(key)
        if found is not None:
            await anyio.Path(path).write_bytes(found.body)
        return found

    async def put(
        self, key: str, body: bytes, *, expected: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> str:
        if self.most_writes is not None and self.writes >= self.most_writes:
            raise ServiceError(code="SlowDown", message="reduce your request rate", status=503)
        there = self.objects[key].etag if key in self.objects else ""
        if expected is not None and there != expected:
            raise NotAsExpectedError(key)
        self.writes += 1
        etag = hashlib.sha256(f"{self.writes}".encode() + body).hexdigest()
        self.objects[key] = Found(body=body, etag=etag, age_s=0.0, metadata=metadata or {})
        return etag

    async def upload(
        self,
        key: str,
        path: Path,
        *,
        size: int | None = None,
        expected: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        return await self.put(key, (await anyio.Path(path).read_bytes())[:size], expected=expected, metadata=metadata)

    async def list(self, prefix: str = "", *, after: str = "", folders: bool = False) -> AsyncIterator[Entry]:
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        if folders:
            keys = sorted({key.partition("/")[0] + "/" for key in keys if "/" in key})
        for key in keys:
            found = self.objects.get(key)
            yield Entry(key=key, etag=found.etag if found else "", size=len(found.body) if found else 0, age_s=0.0)

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    async def refuse_unconditional(self) -> None:
        return None


class ToyThread(BucketThread):
    """The thread of a machine, with a bucket that others reach as well."""

    def __init__(self, bucket: ToyBucket, portal: BlockingPortal) -> None:
        super().__init__(SETTINGS)
        self._portal, self._bucket = portal, bucket
