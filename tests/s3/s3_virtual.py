"""S3, networks and machines in virtual time: hours of leases in milliseconds, with clocks that disagree.

Below the real `Bucket` there is a client that does what aiobotocore's does, and whose requests get lost.
"""

from __future__ import annotations

import asyncio
import hashlib
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from typing import Any, Self

import anyio
from botocore.exceptions import ClientError, ConnectionClosedError

from bulk_esm.aws.bucket import Bucket
from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.clock import Clock

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_LATENCY_S = 0.05


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self) -> None:
        self.now = 1_000.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits for ever"
        found = super().select(0)
        if not found:
            self._loop.now += max(0.0, timeout)
        return found


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run in virtual time."""
    anyio.run(main, backend_options={"loop_factory": VirtualLoop})


class Kind(StrEnum):
    LOST = "lost"  # never arrives
    UNHEARD = "unheard"  # applied, and the answer gets lost
    SLOW = "slow"  # takes its time to arrive
    SLOWLY_ANSWERED = "slowly answered"
    LATE = "late"  # arrives after whoever sent it has been told that it is lost
    REFUSED = "refused"  # with 503
    FROZEN_BEFORE = "frozen before"  # the machine stands still when it is about to send
    FROZEN_AFTER = "frozen after"  # the machine stands still when it is about to hear


@dataclass(frozen=True)
class Fault:
    kind: Kind
    seconds: float = 0.0


@dataclass
class _Object:
    body: bytes
    etag: str
    written_at: float
    metadata: Mapping[str, str]


@dataclass
class VirtualS3:
    """The objects of a bucket, with S3's own clock."""

    objects: dict[str, _Object] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def put(self, request: Mapping[str, Any]) -> dict[str, Any]:
        there = self.objects.get(request["Key"])
        if "IfNoneMatch" in request and there is not None:
            raise _error(412, "PreconditionFailed", "PutObject")
        if "IfMatch" in request and there is None:
            raise _error(404, "NoSuchKey", "PutObject")
        if there is not None and request.get("IfMatch", there.etag) != there.etag:
            raise _error(412, "PreconditionFailed", "PutObject")
        etag = f'"{hashlib.sha256(request["Body"]).hexdigest()[:32]}"'
        self.objects[request["Key"]] = _Object(request["Body"], etag, self.now, request.get("Metadata", {}))
        return {"ETag": etag}

    def get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        there = self.objects.get(request["Key"])
        if there is None:
            raise _error(404, "NoSuchKey", "GetObject")
        headers = {"date": format_datetime(_at(self.now), usegmt=True)}
        return {
            "ETag": there.etag,
            "LastModified": _at(there.written_at),
            "Metadata": there.metadata,
            "ResponseMetadata": {"HTTPHeaders": headers},
            "Body": _Body(there.body),
        }


@dataclass
class Machine:
    """A process on a machine of its own.

    Its clock has begun some time ago and is too fast or too slow, it stands still at times, and its requests meet
    faults by their numbers.
    """

    s3: VirtualS3
    began_s: float = 0.0
    rate: float = 1.0
    frozen: tuple[tuple[float, float], ...] = ()
    faults: Mapping[int, Fault] = field(default_factory=dict)
    requests: int = 0

    def __post_init__(self) -> None:
        self.clock = Clock(monotonic=self.monotonic, sleep=self.sleep)
        self.bucket = Bucket(_Client(self), BucketSettings(bucket="b", prefix=""), sleep=self.sleep)
        self._tasks: set[asyncio.Task[Any]] = set()

    def monotonic(self) -> float:
        return self.began_s + self.rate * self.s3.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.rate)
        await self.awake()

    async def freeze(self, seconds: float) -> None:
        """Stand still now; no timer is heard meanwhile, nor before what was about to happen."""
        self.frozen += ((self.s3.now, seconds),)
        with anyio.CancelScope(shield=True):
            await self.awake()

    async def awake(self) -> None:
        """Do nothing while it stands still."""
        for begins_at, seconds in self.frozen:
            if begins_at <= self.s3.now < begins_at + seconds:
                await asyncio.sleep(begins_at + seconds - self.s3.now)

    def start(self, work: Callable[[Bucket], Awaitable[Any]]) -> Future[Any]:
        """As `BucketThread.start`, though in this very thread."""
        future: Future[Any] = Future()

        async def done() -> None:
            future.set_result(await work(self.bucket))

        task = asyncio.get_running_loop().create_task(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return future


class _Client:
    """As aiobotocore's client of S3, for what `Bucket` calls of it."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def put_object(self, **request: Any) -> dict[str, Any]:
        return await self._send(self._machine.s3.put, request)

    async def get_object(self, **request: Any) -> dict[str, Any]:
        return await self._send(self._machine.s3.get, request)

    async def head_object(self, **request: Any) -> dict[str, Any]:
        answer = await self._send(self._machine.s3.get, request)
        return {name: value for name, value in answer.items() if name != "Body"}

    async def _send(
        self, apply: Callable[[Mapping[str, Any]], dict[str, Any]], request: Mapping[str, Any]
    ) -> dict[str, Any]:
        machine = self._machine
        await machine.awake()
        number, machine.requests = machine.requests, machine.requests + 1
        fault = machine.faults.get(number, Fault(Kind.SLOW))
        await asyncio.sleep(_LATENCY_S)
        if fault.kind is Kind.FROZEN_BEFORE:
            await machine.freeze(fault.seconds)
        if fault.kind is Kind.REFUSED:
            raise _error(503, "SlowDown", "PutObject")
        if fault.kind is Kind.SLOW:
            await asyncio.sleep(fault.seconds)
        if fault.kind is Kind.LATE:
            machine.start(lambda _: _later(fault.seconds, apply, request))
        if fault.kind in {Kind.LOST, Kind.LATE}:
            raise ConnectionClosedError(endpoint_url="http://s3")
        answer = apply(request)
        if fault.kind is Kind.UNHEARD:
            raise ConnectionClosedError(endpoint_url="http://s3")
        if fault.kind is Kind.FROZEN_AFTER:
            await machine.freeze(fault.seconds)
            return answer
        await asyncio.sleep(_LATENCY_S + (fault.seconds if fault.kind is Kind.SLOWLY_ANSWERED else 0.0))
        await machine.awake()
        return answer


async def _later(
    seconds: float, apply: Callable[[Mapping[str, Any]], dict[str, Any]], request: Mapping[str, Any]
) -> None:
    await asyncio.sleep(seconds)
    with suppress(ClientError):  # nobody hears of it
        apply(request)


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self, _most: int | None = None) -> bytes:
        return self._body


def _at(now: float) -> datetime:
    """As S3 stamps it: without fractions of a second."""
    return (_EPOCH + timedelta(seconds=now)).replace(microsecond=0)


def _error(status: int, code: str, call: str) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": "1", "HostId": "1", "RetryAttempts": 0}
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": metadata}, call)
