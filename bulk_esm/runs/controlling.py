"""Asks something of a run that another process carries out, and waits for its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from bulk_esm.clock import Clock, iso
from bulk_esm.errors import RefusedError
from bulk_esm.model.control import ControlAction, ControlRequest, ControlStatus, control_of, counting, name_after
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.runs.invoking import caller
from bulk_esm.store.asked import AskedPlace, new_nonce
from bulk_esm.store.run_files import RunFiles

_PATIENCE_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.5


class ControlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a run answers.

    Attributes:
        run_id: the run.
        request: what was asked.
        status: how the run stood when it heeded that; None if it has not answered in time.
    """

    run_id: str
    request: ControlRequest
    status: ControlStatus | None


async def ask_run(
    files: RunFiles,
    action: ControlAction,
    *,
    rollback: bool = False,
    record_now: Callable[[], RunRecord] | None = None,
    clock: Clock | None = None,
) -> ControlAnswer:
    """Ask something of a run through its files, and wait for its answer, for some seconds.

    Args:
        files: the run's.
        action: what.
        rollback: of a stop, whether what the run changed is to be put back.
        record_now: reads the run's record anew; as `files` has it, if left out.
        clock: the time.

    Raises:
        RefusedError: it has ended, nobody works at it, or what is asked makes no sense as it stands.
        RunFolderError: its files cannot be read or written.
    """
    clock, place, record = clock or Clock(), files.asked(), files.record()
    _refuse_unless_at_work(files, record)
    requests, status, invocation = await place.read(), await place.status(), len(record.invocations)
    heard = frozenset[str]() if status is None else status.heard
    if status is not None and status.invocation != invocation:
        status = None  # of an earlier one
    held = control_of(counting(requests, heard=heard, invocation=invocation), invocation=invocation).held
    if action == "go" and held is None:
        raise RefusedError(f"{record.run_id} is not held, so there is nothing to let go on")
    request = ControlRequest(
        action=action,
        invocation=invocation,
        by=caller(),
        at=iso(clock.now()) or "",
        rollback=rollback,
        wave=_awaited(record, status) if action == "approve" else None,
    )
    name = name_after(requests, clock.now(), new_nonce())
    await place.ask(name, request)
    answer = await _answer(place, name, clock)
    if answer is None:
        now = (record_now or files.record)()
        if now.status is not RunStatus.RUNNING:
            raise RefusedError(f"{record.run_id} ended before it had heard of that: {now.status}")
    return ControlAnswer(run_id=record.run_id, request=request, status=answer)


def _refuse_unless_at_work(files: RunFiles, record: RunRecord) -> None:
    if record.status is not RunStatus.RUNNING:
        why = f" ({record.reason})" if record.reason else ""
        raise RefusedError(f"{record.run_id} has ended: {record.status}{why}")
    if files.at_work() is False:
        lock = "; a run with --no-lock is told by none" if files.replica is not None else ""
        raise RefusedError(
            f"nobody works at {record.run_id}: it was killed{lock}; to finish it: bulk-esm continue {files.named}"
        )


def _awaited(record: RunRecord, status: ControlStatus | None) -> int:
    """The wave that waits for an approval."""
    if not record.rollout.approve_waves:
        raise RefusedError(f"{record.run_id} was begun without --approve-waves, so it waits for no approval")
    if status is None or status.awaits is None:
        raise RefusedError(f"{record.run_id} waits for no approval now: a wave is under way, or its soak or gates are")
    return status.awaits


async def _answer(place: AskedPlace, name: str, clock: Clock) -> ControlStatus | None:
    """How the run stood when it had heeded a request; None if it has not in time."""
    until = clock.monotonic() + _PATIENCE_S
    while True:
        status = await place.status()
        if status is not None and name in status.heard:
            return status
        if clock.monotonic() >= until:
            return None
        await clock.sleep(_LOOK_EVERY_S)
