"""A bucket that is reached from a thread of its own.

What is written of a run must not wait for a busy event loop, nor a lease that is to be renewed; and plans and records
are read and written by code that is not asynchronous.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from bulk_esm.aws.bucket import Bucket, BucketSettings, open_bucket
from bulk_esm.aws.logins import Logins

T = TypeVar("T")


class BucketThread:
    """The thread, which begins with the first call and ends with `close`.

    Attributes:
        settings: where the bucket is.
    """

    def __init__(self, settings: BucketSettings, *, patience_s: float = 60.0) -> None:
        """Begin with nothing open.

        Args:
            settings: where the bucket is.
            patience_s: how long one call to S3 may take with all its attempts, in seconds.
        """
        self.settings = settings
        self._patience_s = patience_s
        self._open = ExitStack()
        self._portal: BlockingPortal | None = None
        self._bucket: Bucket | None = None

    def call(self, work: Callable[[Bucket], Awaitable[T]]) -> T:
        """Do something there, and wait for it.

        Args:
            work: does it with the bucket.

        Raises:
            UsageError: no such profile, or an impossible endpoint.
            AccessError: no credentials, or what is not permitted.
            ServiceError: S3 did not answer.
        """
        return self.start(work).result()

    async def ask(self, work: Callable[[Bucket], Awaitable[T]]) -> T:
        """Do something there while this event loop goes on; see `call`."""
        return await asyncio.wrap_future(self.start(work))

    def start(self, work: Callable[[Bucket], Awaitable[T]]) -> Future[T]:
        """Begin to do something there; see `call`.

        Returns:
            What comes of it; to cancel it ends the work.
        """
        portal, bucket = self._opened()
        return portal.start_task_soon(work, bucket)

    def close(self) -> None:
        """End the thread, and what is still done there."""
        self._portal = self._bucket = None
        self._open.close()

    def _opened(self) -> tuple[BlockingPortal, Bucket]:
        if self._portal is None or self._bucket is None:
            with ExitStack() as stack:
                portal = stack.enter_context(start_blocking_portal())
                opening = open_bucket(self.settings, logins=Logins(), patience_s=self._patience_s)
                bucket = stack.enter_context(portal.wrap_async_context_manager(opening))
                self._open = stack.pop_all()
            self._portal, self._bucket = portal, bucket
        return self._portal, self._bucket
