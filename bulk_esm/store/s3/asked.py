"""What others ask of a run that is kept in S3: objects beside its own; see `bulk_esm/store/asked.py`."""

from __future__ import annotations

from functools import partial

import msgspec

from bulk_esm.aws.bucket import Bucket
from bulk_esm.model.control import ControlRequest, ControlStatus
from bulk_esm.store.asked import MOST_BYTES, STATUS, ReadRequests, read_status
from bulk_esm.store.s3.names import asked_key
from bulk_esm.store.s3.thread import BucketThread


class AskedInS3:
    """Below a run's prefix; see `AskedPlace`."""

    def __init__(self, thread: BucketThread, run_id: str) -> None:
        """Look at a run's.

        Args:
            thread: the bucket's.
            run_id: the run.
        """
        self.every_s = 3.0
        self._thread = thread
        self._run_id = run_id
        self._requests = ReadRequests()

    async def read(self) -> dict[str, ControlRequest]:
        """All requests, by name: one List, and a Get for each that is new; see `AskedPlace`."""
        await self._thread.ask(self._read)
        return self._requests.found

    async def ask(self, name: str, request: ControlRequest) -> None:
        """Write a request down, which replaces none; see `AskedPlace`."""
        await self._thread.ask(partial(self._put, name=name, body=msgspec.json.encode(request), expected=""))

    async def status(self) -> ControlStatus | None:
        """How the run stands; see `AskedPlace`."""
        return await self._thread.ask(self._status)

    async def tell(self, status: ControlStatus) -> None:
        """Replace how the run stands; see `AskedPlace`."""
        await self._thread.ask(partial(self._put, name=STATUS, body=msgspec.json.encode(status), expected=None))

    # What follows is done in the bucket's thread.

    async def _read(self, bucket: Bucket) -> None:
        prefix = asked_key(self._run_id, "")
        async for entry in bucket.list(prefix):
            name = entry.key.removeprefix(prefix)
            if not self._requests.is_new(name):
                continue
            if entry.size > MOST_BYTES:
                self._requests.pass_over(name, "it is too large")
            elif (found := await bucket.get(entry.key)) is not None:
                self._requests.take(name, found.body)

    async def _put(self, bucket: Bucket, *, name: str, body: bytes, expected: str | None) -> None:
        await bucket.put(asked_key(self._run_id, name), body, expected=expected)

    async def _status(self, bucket: Bucket) -> ControlStatus | None:
        found = await bucket.get(asked_key(self._run_id, STATUS))
        return None if found is None or len(found.body) > MOST_BYTES else read_status(found.body)
