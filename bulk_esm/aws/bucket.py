"""Objects below a prefix of an S3 bucket: reads, and writes that are conditional and never repeated blindly.

A write whose answer is lost may have been applied. So each carries a token of its own, and after a lost answer, or a
refusal by its condition, the object is read back: a writer that took its own write for somebody else's would be shut
out for good.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import anyio
import msgspec
import tenacity
from aiobotocore.config import AioConfig

from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.aws.errors import translated
from bulk_esm.aws.http import SendOnceSession
from bulk_esm.aws.logins import Logins
from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.errors import BulkEsmError, NotAsExpectedError, ServiceError, UsageError

T = TypeVar("T")

_TOKEN: Final = "bulk-esm-write"  # noqa: S105 - the name of an object's metadata
_AN_ATTEMPT_S: Final = 15.0
_PART: Final = 8 * 2**20  # bytes; S3 takes 10,000 parts of 5 MiB or more
_MOST_AT_ONCE: Final = 16
_MOST_KEYS: Final = 1_000  # of one DeleteObjects
_MISSING: Final = 404
_CONDITION_FAILED: Final = 412
_IN_CONFLICT: Final = 409  # of two conditional writes at the same moment one is told so, and may try again
_NO_BUCKET: Final = "NoSuchBucket"
_SOON_S: Final = 0.3
_MOST_WAIT_S: Final = 5.0
_PASSING: Final = frozenset({Treatment.TRANSIENT, Treatment.UNCONNECTED, Treatment.THROTTLED})

ANY: Final = "*"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An object, as a list has it.

    Attributes:
        key: below the prefix.
        etag: changes with the content.
        size: in bytes.
        age_s: how long ago it was written, in seconds, by S3's own clock alone, which tells whole seconds.
    """

    key: str
    etag: str
    size: int
    age_s: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An object that was read.

    Attributes:
        body: its content; empty where only its head was asked for.
        etag: changes with the content.
        age_s: see `Entry`.
        metadata: what was written with it.
    """

    body: bytes
    etag: str
    age_s: float
    metadata: Mapping[str, str]


class Bucket:
    """A way to the objects below a prefix.

    Attributes:
        settings: where they are.
    """

    def __init__(
        self,
        client: Any,
        settings: BucketSettings,
        *,
        whose: str | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        patience_s: float = 60.0,
    ) -> None:
        """Take over a client; see `open_bucket`.

        Args:
            client: aiobotocore's, of S3, that repeats nothing by itself.
            settings: where the objects are.
            whose: where its credentials come from, for messages.
            sleep: waits for so many seconds.
            patience_s: how long one call may take with all its attempts, in seconds.
        """
        self.settings = settings
        self._client = client
        self._whose = whose
        self._sleep = sleep
        self._patience_s = patience_s
        self._places = anyio.CapacityLimiter(_MOST_AT_ONCE)

    def apart(self) -> Bucket:
        """A way to the same objects, on which what is urgent does not stand in line behind uploads."""
        return Bucket(self._client, self.settings, whose=self._whose, sleep=self._sleep, patience_s=self._patience_s)

    def name(self, key: str) -> str:
        """An object as messages name it."""
        return f"{self.settings.url}{key}"

    async def get(self, key: str) -> Found | None:
        """Read an object; None if there is none.

        Raises:
            AccessError: it may not be read.
            ServiceError: S3 did not answer.
        """
        return await self._read("get_object", "s3:GetObject", key)

    async def head(self, key: str) -> Found | None:
        """Read all of an object but its content; see `get`."""
        return await self._read("head_object", "s3:GetObject", key)

    async def download(self, key: str, path: Path) -> Found | None:
        """Bring an object to disk, in bounded memory; None if there is none. See `get`.

        Raises:
            OSError: the file cannot be written.
        """

        async def attempt() -> Found | None:
            try:
                answer = await self._send("get_object", "s3:GetObject", Key=self._key(key))
            except ServiceError as error:
                if _is_missing(error):
                    return None
                raise
            async with answer["Body"] as body, await anyio.open_file(path, "wb") as file:
                while chunk := await self._chunk(body, "s3:GetObject", 1 << 20):
                    await file.write(chunk)  # a full disk is no answer of S3's, and not tried again
            return _found(answer, b"")

        return await self._repeated(attempt)

    async def put(
        self, key: str, body: bytes, *, expected: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> str:
        """Write an object.

        Args:
            key: below the prefix.
            body: its content.
            expected: the ETag of the object that it replaces; `""` if there must be none; None for whatever is there.
            metadata: written with it.

        Returns:
            Its ETag.

        Raises:
            NotAsExpectedError: another object is there than was expected, and it is not this write's own.
            AccessError: it may not be written.
            ServiceError: S3 did not answer.
        """

        async def write(**more: Any) -> str:
            answer = await self._send(
                "put_object", "s3:PutObject", Key=self._key(key), Body=body, **more, **_if(expected), **self._encryption
            )
            return str(answer["ETag"])

        return await self._written(key, write, expected, metadata)

    async def upload(
        self,
        key: str,
        path: Path,
        *,
        size: int | None = None,
        expected: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Write an object from a file, in parts and in bounded memory if it is large; see `put`.

        Args:
            key: below the prefix.
            path: the file.
            size: how much of it, in bytes; all if left out.
            expected: see `put`.
            metadata: see `put`.
        """
        async with await anyio.open_file(path, "rb") as file:
            size = size if size is not None else (await anyio.Path(path).stat()).st_size
            if size <= _PART:
                return await self.put(key, await file.read(size), expected=expected, metadata=metadata)

            async def write(**more: Any) -> str:
                await file.seek(0)
                return await self._upload_parts(key, _parts(file, size), expected, more)

            return await self._written(key, write, expected, metadata)

    async def list(self, prefix: str = "", *, after: str = "", folders: bool = False) -> AsyncIterator[Entry]:
        """The objects below a prefix, in the order of their keys.

        Args:
            prefix: below this bucket's own.
            after: only keys that come later than this.
            folders: whether what has a `/` further on is one entry, without size or ETag.

        Raises:
            AccessError: they may not be listed.
            ServiceError: S3 did not answer.
        """
        more: dict[str, Any] = {"Delimiter": "/"} if folders else {}
        if after:
            more["StartAfter"] = self._key(after)
        skipped = len(self.settings.prefix)
        while True:
            answer = await self._asked("list_objects_v2", "s3:ListBucket", Prefix=self._key(prefix), **more)
            for each in answer.get("CommonPrefixes", ()):
                yield Entry(key=each["Prefix"][skipped:], etag="", size=0, age_s=0.0)
            for each in answer.get("Contents", ()):
                age_s = _age_s(answer, each["LastModified"])
                yield Entry(key=each["Key"][skipped:], etag=each["ETag"], size=each["Size"], age_s=age_s)
            if not answer.get("IsTruncated"):
                return
            more["ContinuationToken"] = answer["NextContinuationToken"]

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects.

        Raises:
            AccessError: they may not be removed.
            ServiceError: S3 did not answer, or has no such call.
        """
        for start in range(0, len(keys), _MOST_KEYS):
            objects = [{"Key": self._key(key)} for key in keys[start : start + _MOST_KEYS]]
            await self._asked("delete_objects", "s3:DeleteObject", Delete={"Objects": objects, "Quiet": True})

    async def refuse_unconditional(self) -> None:
        """Refuse a store that takes conditional writes whatever their condition: its locks would exclude nobody.

        Raises:
            UsageError: it is such a store.
            AccessError: it may not be written.
            ServiceError: S3 did not answer.
        """
        # It stays: were it removed, what another machine tries at the same moment would come to nothing and mislead it.
        key = ".conditional-writes"
        await self.put(key, secrets.token_bytes(8))
        for what, expected in (("If-None-Match", ""), ("If-Match", f'"{"0" * 32}"')):
            with_condition = {"Key": self._key(key), "Body": b"", **_if(expected), **self._encryption}

            async def attempt(request: Mapping[str, Any] = with_condition) -> int:
                try:
                    await self._send("put_object", "s3:PutObject", **request)
                except ServiceError as error:
                    if error.status in {_CONDITION_FAILED, _IN_CONFLICT}:
                        return error.status
                    raise
                return 0

            if not await self._repeated(attempt):
                raise UsageError(
                    f"{self.name('')} takes writes whatever their {what} says, so no lock there would hold: use a "
                    "store with conditional writes, as S3 has them, or a folder"
                )

    @property
    def _encryption(self) -> dict[str, str]:
        key = self.settings.kms_key
        return {} if key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

    def _key(self, key: str) -> str:
        return f"{self.settings.prefix}{key}"

    async def _read(self, call: str, action: str, key: str) -> Found | None:
        async def attempt() -> Found | None:
            try:
                answer = await self._send(call, action, Key=self._key(key))
            except ServiceError as error:
                if _is_missing(error):
                    return None
                raise
            body = b""
            if "Body" in answer:
                async with answer["Body"] as stream:
                    body = await self._chunk(stream, action)
            return _found(answer, body)

        return await self._repeated(attempt)

    async def _chunk(self, body: Any, action: str, most: int | None = None) -> bytes:
        """The next part of an answer's body, or all of it."""
        with _whole_answers(), translated(action, whose=self._whose), anyio.fail_after(_AN_ATTEMPT_S):
            found: bytes = await body.read(most)
        return found

    async def _written(
        self,
        key: str,
        write: Callable[..., Awaitable[str]],
        expected: str | None,
        metadata: Mapping[str, str] | None,
    ) -> str:
        """Write until it is known what came of it."""
        token = secrets.token_hex(8)

        async def attempt() -> str:
            try:
                return await write(Metadata={**(metadata or {}), _TOKEN: token})
            except ServiceError as error:
                failure = error
            is_refused = failure.status in {_CONDITION_FAILED, _IN_CONFLICT} or (
                failure.status == _MISSING and bool(expected)  # If-Match where nothing is
            )
            if not is_refused and not (failure.sent and treatment_of(failure) is Treatment.TRANSIENT):
                raise failure
            found = await self.head(key)
            if found is not None and found.metadata.get(_TOKEN) == token:
                return found.etag  # it is this very write, whose answer was lost
            there = "" if found is None else found.etag
            if failure.status == _IN_CONFLICT or there == expected or (expected is None and not is_refused):
                raise ServiceError(code=failure.code, message=failure.message)  # not applied: once more
            raise NotAsExpectedError(f"{self.name(key)} was written by somebody else meanwhile") from failure

        return await self._repeated(attempt)

    async def _upload_parts(
        self, key: str, bodies: AsyncIterator[bytes], expected: str | None, more: Mapping[str, Any]
    ) -> str:
        begun = await self._asked(
            "create_multipart_upload", "s3:PutObject", Key=self._key(key), **more, **self._encryption
        )
        upload = {"Key": self._key(key), "UploadId": begun["UploadId"]}
        try:
            parts: list[dict[str, Any]] = []
            async for body in bodies:
                number = len(parts) + 1
                part = await self._asked("upload_part", "s3:PutObject", **upload, PartNumber=number, Body=body)
                parts.append({"ETag": part["ETag"], "PartNumber": number})
            answer = await self._send(
                "complete_multipart_upload",
                "s3:PutObject",
                **upload,
                MultipartUpload={"Parts": parts},
                **_if(expected),
            )
        except BaseException:
            with anyio.move_on_after(_AN_ATTEMPT_S, shield=True):
                await self._abort(upload)
            raise
        return str(answer["ETag"])

    async def _abort(self, upload: Mapping[str, Any]) -> None:
        with suppress(BulkEsmError):  # a lifecycle rule of the bucket is for what is left
            await self._send("abort_multipart_upload", "s3:AbortMultipartUpload", **upload)

    async def _asked(self, call: str, action: str, **request: Any) -> dict[str, Any]:
        """Call until an answer comes: for what may be repeated."""

        async def attempt() -> dict[str, Any]:
            return await self._send(call, action, **request)

        return await self._repeated(attempt)

    async def _repeated(self, attempt: Callable[[], Awaitable[T]]) -> T:
        ends_at = anyio.current_time() + self._patience_s
        policy = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=tenacity.wait_random_exponential(multiplier=_SOON_S, max=_MOST_WAIT_S),
            stop=lambda _: anyio.current_time() >= ends_at,
            sleep=self._sleep,
            reraise=True,
        )
        return await policy(attempt)

    async def _send(self, call: str, action: str, **request: Any) -> dict[str, Any]:
        """Call once."""
        try:
            async with self._places:
                with translated(action, whose=self._whose), anyio.fail_after(_AN_ATTEMPT_S):
                    answer: dict[str, Any] = await getattr(self._client, call)(Bucket=self.settings.bucket, **request)
        except ServiceError as error:
            if error.code == _NO_BUCKET:
                raise UsageError(f"there is no bucket {self.settings.bucket!r}: see --runs-dir") from error
            raise
        return answer


@asynccontextmanager
async def open_bucket(
    settings: BucketSettings,
    *,
    logins: Logins | None = None,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    patience_s: float = 60.0,
) -> AsyncIterator[Bucket]:
    """Open a way to the objects below a prefix. Nothing is sent yet.

    Where S3 is, botocore alone knows: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` and the profile's `endpoint_url`.

    Args:
        settings: where they are.
        logins: what was loaded before.
        sleep: waits for so many seconds.
        patience_s: how long one call may take with all its attempts, in seconds.

    Raises:
        UsageError: no such profile, or an impossible endpoint.
        AccessError: no credentials.
    """
    logins = logins or Logins()
    region = settings.region or logins.home_region(settings.profile)
    if not region:
        raise UsageError("no Region: use --region, set AWS_REGION, or give the profile a region")
    config = AioConfig(
        retries={"total_max_attempts": 1},  # what may be repeated is for us to say
        max_pool_connections=2 * _MOST_AT_ONCE,
        connect_timeout=5,
        read_timeout=_AN_ATTEMPT_S,
        http_session_cls=_S3Session,
        # Other stores lack the checksums that botocore adds by itself; what we write has digests of its own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = await logins.session(settings.profile, None, region=region, endpoint_url=None, config=config)
    whose = logins.whose(settings.profile, None)
    with translated("s3", whose=whose):
        opening = session.create_client("s3", region_name=region, config=config)
        client = await opening.__aenter__()
    try:
        yield Bucket(client, settings, whose=whose, sleep=sleep, patience_s=patience_s)
    finally:
        await opening.__aexit__(None, None, None)


class _S3Session(SendOnceSession):
    """Hands botocore what S3 says of a bucket in another Region, which it asks there, under S3's own name."""

    passes_redirects = True
    longest_answer_s = None  # of a large object it is long: each attempt has its own bound


@contextmanager
def _whole_answers() -> Iterator[None]:
    """Take half a body for no answer."""
    try:
        yield
    except aiohttp.ClientError as error:
        raise ServiceError(code=type(error).__name__, message="the answer broke off") from error


def _if(expected: str | None) -> dict[str, str]:
    if expected is None:
        return {}
    return {"IfMatch": expected} if expected else {"IfNoneMatch": ANY}


def _is_missing(error: ServiceError) -> bool:
    return error.status == _MISSING and error.code != _NO_BUCKET


def _found(answer: Mapping[str, Any], body: bytes) -> Found:
    return Found(
        body=body,
        etag=str(answer["ETag"]),
        age_s=_age_s(answer, answer["LastModified"]),
        metadata=answer.get("Metadata", {}),
    )


def _age_s(answer: Mapping[str, Any], written_at: datetime) -> float:
    """By S3's own clock: ours may be hours off."""
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return max(0.0, (now - written_at).total_seconds())


async def _parts(file: anyio.AsyncFile[bytes], size: int) -> AsyncIterator[bytes]:
    left = size
    while left and (body := await file.read(min(left, _PART))):
        left -= len(body)
        yield body


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may end otherwise."""
    return isinstance(error, ServiceError) and treatment_of(error) in _PASSING
