"""A bucket that is reached from a thread of its own.

What is written of a run must not wait for a busy event loop, nor a lease that is to be renewed; and plans and records
are read and written by code that is not asynchronous.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from bulk_esm.aws.bucket import Bucket, open_bucket
from bulk_esm.aws.bucket_settings import BucketSettings
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
        self._running: set[Future[Any]] = set()
        self._is_fit = False
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
        future = portal.start_task_soon(_alone, work, bucket)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    async def refuse_unfit(self, bucket: Bucket) -> None:
        """Refuse a store that cannot be written, or whose conditions do not hold; once. Called in the thread.

        Raises:
            UsageError: it takes writes whatever their condition says.
            AccessError: it may not be written.
            ServiceError: S3 did not answer.
        """
        if not self._is_fit:
            await bucket.refuse_unconditional()
            self._is_fit = True

    def close(self) -> None:
        """End the thread, and what is still done there."""
        self._portal = self._bucket = None
        for future in list(self._running):
            future.cancel()
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


async def _alone(work: Callable[[Bucket], Awaitable[T]], bucket: Bucket) -> T:
    """Do it, and raise what went wrong first as it is: whoever expects an error of ours expects no group of them."""
    try:
        return await work(bucket)
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
