"""Whether runs can be kept where they are to be: a folder is written to, a bucket is written, read and locked."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import anyio

from bulk_esm.aws.bucket import Bucket
from bulk_esm.clock import Clock, iso
from bulk_esm.doctor.shard import denied
from bulk_esm.errors import AccessError, BulkEsmError, DeniedError, RefusedError, ServiceError, UsageError
from bulk_esm.model.checks import Check, Verdict
from bulk_esm.model.permissions import without
from bulk_esm.model.shard import Shard
from bulk_esm.store.place import RunsPlace
from bulk_esm.store.s3.locks import holder_here
from bulk_esm.store.s3.place import S3Place

_PROBE: Final = ".doctor"
_STORE: Final = "store"
_LOCK: Final = "lock"
_LOCKED: Final = "doctor"  # no Region is called so: nobody's run is kept out
_NOBODY: Final = "000000000000"


async def examine_place(
    place: RunsPlace, *, account_id: str | None, endpoint_url: str | None, told: Callable[[Check], None], clock: Clock
) -> None:
    """Look whether runs can be kept somewhere.

    Args:
        place: where.
        account_id: whose credentials they are, if that is known.
        endpoint_url: where requests to Lambda go; None for AWS.
        told: hears each check.
        clock: the time.
    """
    if not isinstance(place, S3Place):
        told(await anyio.to_thread.run_sync(_of_folder, place.folder))
        return
    try:
        checks = await place.thread.ask(partial(_of_bucket, place.shown))
    except (AccessError, ServiceError, UsageError) as error:  # no way there at all
        told(Check(what=_STORE, verdict=Verdict.FAILED, detail=str(error), advice="see --runs-dir and --runs-profile"))
        return
    for check in checks:
        told(check)
    if all(check.verdict is not Verdict.FAILED for check in checks):
        told(await _of_lock(place, Shard(account_id=account_id or _NOBODY, region=_LOCKED), endpoint_url, clock))


def _of_folder(folder: Path) -> Check:
    """Write to it, or to what it would be made in."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"\0")
    except OSError as error:
        return Check(
            what=_STORE,
            verdict=Verdict.FAILED,
            detail=f"no run can be kept in {folder}: {error.strerror}",
            advice="choose another place with --runs-dir or BULK_ESM_RUNS_DIR",
        )
    detail = f"{folder} was written to" if there == folder.absolute() else f"{folder} can be made in {there}"
    return Check(what=_STORE, verdict=Verdict.OK, detail=f"{detail}; it lasts as long as this machine's disk does")


async def _of_bucket(shown: str, bucket: Bucket) -> list[Check]:
    """Write, read, list and remove an object; and whether conditional writes hold, on which locks rest."""
    objects = f"arn:aws:s3:::{bucket.settings.bucket}/{bucket.settings.prefix}*"
    whole = f"arn:aws:s3:::{bucket.settings.bucket}"
    key = f"{_PROBE}-{secrets.token_hex(4)}"

    async def write() -> None:
        await bucket.refuse_unconditional()
        await bucket.put(key, b"")

    async def read() -> None:
        await bucket.get(key)

    async def listed() -> None:
        async for _ in bucket.list(folders=True):
            return

    checks = []
    for action, resource, call in (
        ("s3:PutObject", objects, write),
        ("s3:GetObject", objects, read),
        ("s3:ListBucket", whole, listed),
    ):
        checks.append(await _tried(action, resource, call, f"{shown} was asked"))
        if checks[-1].verdict is Verdict.FAILED and checks[-1].lacks is None:
            return checks  # nobody answers there, or it is not fit
    if checks[0].verdict is Verdict.OK:
        checks.append(await _removed(bucket, key, objects))
    return checks


async def _tried(action: str, resource: str, call: Callable[[], Awaitable[None]], detail: str) -> Check:
    try:
        await call()
    except UsageError as error:
        return Check(what=_STORE, verdict=Verdict.FAILED, detail=str(error), advice="choose another --runs-dir")
    except (AccessError, ServiceError) as error:
        return denied(action, error, Verdict.FAILED, resource=resource, why=f"; {without(action)}")
    return Check(what=action, verdict=Verdict.OK, detail=f"allowed: {detail}")


async def _removed(bucket: Bucket, key: str, objects: str) -> Check:
    """Remove the probe; that some are not removed stands in an answer that says 200, so it is looked for."""
    action = "s3:DeleteObject"
    error: BulkEsmError | None = None
    try:
        await bucket.delete([key])
        if await bucket.head(key) is None:
            return Check(what=action, verdict=Verdict.OK, detail="allowed: an object was removed again")
    except (AccessError, ServiceError) as caught:
        error = caught
    error = error or DeniedError("", action=action, said=f"{bucket.name(key)} was not removed")
    return denied(action, error, Verdict.WARNING, resource=objects, why=f"; {without(action)}")


async def _of_lock(place: S3Place, shard: Shard, endpoint_url: str | None, clock: Clock) -> Check:
    """Take a lock that keeps nobody out, and let it go."""
    locks = place.locks_for(endpoint_url)
    holder = holder_here(command="doctor", started_at=str(iso(clock.now())))
    try:
        leases = await locks.acquire([shard], holder=holder)
        await anyio.to_thread.run_sync(locks.release, leases)
    except RefusedError as error:
        advice = "try again when that has ended"
        return Check(what=_LOCK, verdict=Verdict.UNKNOWN, detail=f"another doctor is at it: {error}", advice=advice)
    except (BulkEsmError, OSError) as error:
        return Check(what=_LOCK, verdict=Verdict.FAILED, detail=str(error), advice="see --runs-dir")
    return Check(what=_LOCK, verdict=Verdict.OK, detail=f"one was taken in {place.shown} and let go")
