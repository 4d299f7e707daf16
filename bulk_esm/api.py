"""The public API's two ways in: `connect` for programs, `apply` for scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import anyio
import msgspec

from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.sessions import Sessions
from bulk_esm.bulk import DEFAULT_RUNS_DIR, BulkEsm
from bulk_esm.clock import Clock
from bulk_esm.executors.local import LocalExecutor
from bulk_esm.executors.protocols import Executor
from bulk_esm.executors.tasks import Reach
from bulk_esm.executors.worker import Worker
from bulk_esm.model.change import Change
from bulk_esm.model.checked import AtLeastOne, taken
from bulk_esm.model.control import ControlAction
from bulk_esm.model.records import RunRecord
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Shard
from bulk_esm.runs.controlling import ControlAnswer, ask_run
from bulk_esm.runs.fleet import Fleet
from bulk_esm.shards.resolve import resolve
from bulk_esm.shards.settings import FleetSettings
from bulk_esm.store.finding import find_run
from bulk_esm.store.place import RunsDir, place_at
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.s3.location import parse_location

SHARDS_AT_ONCE: Final = 100  # in one process: at 12 requests/s each, more than a core can do


@asynccontextmanager
async def connect(  # noqa: PLR0913 - keyword-only, all with defaults
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    max_per_second: float = 12.0,
    concurrency: int = 50,
    timeout_s: float = 900.0,
    fleet: FleetSettings | None = None,
    executor: Executor | Literal["local", "process"] = "local",
    shards_at_once: int | None = None,
    runs_dir: RunsDir | str = DEFAULT_RUNS_DIR,
    lock: bool = True,
    clock: Clock | None = None,
) -> AsyncIterator[BulkEsm]:
    """Open one account and Region, with the credentials that the AWS CLI would use, or many. Lambda is not asked yet.

    Args:
        region: the Region; by default what the environment or the profile says.
        profile: a profile of the AWS configuration files.
        endpoint_url: another endpoint than AWS's own.
        max_per_second: requests/s to Lambda's control plane, which gives 15 to an account and Region in all.
        concurrency: requests in flight at once in each shard.
        timeout_s: how long a mapping may take to settle, in seconds.
        fleet: which accounts and Regions; that of the credentials alone if left out.
        executor: who does the work: this process, one process for each core, or what `open_dask_executor` made.
        shards_at_once: how many shards are worked in at once.
        runs_dir: where runs are kept: a folder, or `s3://BUCKET/PREFIX`, which the same credentials reach.
        lock: whether each run holds the lock of its accounts and Regions on this machine, so that no other run, of the
            command line or of a program, is at work there at the same time.
        clock: the time, for tests.

    Raises:
        UsageError: no Region, no such profile, or a setting that makes no sense.
        AccessError: no credentials, or an organization that may not be asked for.
    """
    clock = clock or Clock()
    reach = Reach(
        endpoint_url=endpoint_url, max_per_second=max_per_second, concurrency=concurrency, timeout_s=timeout_s
    )
    fleet = taken("fleet", fleet, FleetSettings | None)
    shards_at_once = taken("shards_at_once", shards_at_once, AtLeastOne | None)
    if isinstance(executor, str):
        taken("executor", executor, Literal["local", "process"])
    sessions = Sessions()
    async with AsyncExitStack() as stack:
        plans = stack.enter_context(ExitStack())
        worker = await stack.enter_async_context(Worker(clock=clock, sessions=sessions))
        home = await stack.enter_async_context(
            sessions.connect(
                ConnectionSettings(
                    region=region,
                    profile=profile,
                    endpoint_url=endpoint_url,
                    max_per_second=max_per_second,
                    concurrency=concurrency,
                ),
                clock=clock,
            )
        )
        worker.adopt(Shard(account_id=None, region=home.region, profile=profile), home)
        made = await _fleet(
            fleet, home, await _executor(executor, stack, worker, shards_at_once), reach, sessions, clock
        )
        made = msgspec.structs.replace(made, shards_at_once=shards_at_once)
        bulk = BulkEsm(made, home, runs_dir=_place(runs_dir, plans, home), plans=plans)
        bulk.locks.wanted = lock
        yield bulk


def _place(runs_dir: RunsDir | str, closing: ExitStack, home: Connection | None = None) -> RunsDir:
    if not isinstance(runs_dir, str):
        return runs_dir
    if (settings := parse_location(runs_dir)) is None:
        return Path(runs_dir)
    from bulk_esm.store.s3.place import S3Place  # noqa: PLC0415 - only when it is wanted

    if home is not None:
        settings = msgspec.structs.replace(settings, profile=home.profile, region=home.region)
    place = S3Place(settings)
    closing.callback(place.close)
    return place


async def control(
    run: Path | str | RunFiles,
    action: ControlAction,
    *,
    rollback: bool = False,
    runs_dir: RunsDir | str = DEFAULT_RUNS_DIR,
    clock: Clock | None = None,
) -> ControlAnswer:
    """Ask something of a run that another process or machine carries out, and wait for its answer; Lambda is not asked.

    Args:
        run: the run: its folder, its id, or a unique prefix of that.
        action: `hold`, `go`, `stop` or `approve`.
        rollback: of a stop, whether the command that carries it out puts back what it changed.
        runs_dir: where the run is kept: a folder, or `s3://BUCKET/PREFIX`.
        clock: the time, for tests.

    Returns:
        The answer; its `status` is None if none came within 15 s.

    Raises:
        UsageError: there is no such action.
        RefusedError: the run has ended, nobody works at it, or what is asked makes no sense as it stands.
        RunFolderError: there is no such run, or its files cannot be read or written.
    """
    taken("action", action, ControlAction)
    with ExitStack() as closing:
        place = place_at(_place(runs_dir, closing))
        files = run if isinstance(run, RunFiles) else find_run(place, str(run))
        return await ask_run(
            files, action, rollback=rollback, record_now=lambda: find_run(place, files.named).record(), clock=clock
        )


async def _executor(
    chosen: Executor | Literal["local", "process"], stack: AsyncExitStack, worker: Worker, at_once: int | None
) -> Executor:
    if chosen == "local":
        return LocalExecutor(worker, at_once=at_once or SHARDS_AT_ONCE)
    if chosen == "process":
        from bulk_esm.executors.remote import open_process_executor  # noqa: PLC0415 - only when it is wanted

        return await stack.enter_async_context(open_process_executor(at_once=at_once))
    return chosen


async def _fleet(
    settings: FleetSettings | None,
    home: Connection,
    executor: Executor,
    reach: Reach,
    sessions: Sessions,
    clock: Clock,
) -> Fleet:
    if settings is None:
        shard = Shard(account_id=None, region=home.region, profile=home.profile)
        return Fleet(shards=(shard,), executor=executor, reach=reach, is_named=False, clock=clock)
    found = await resolve(settings, sessions=sessions, reach=reach, home_region=home.region)
    return Fleet(shards=found.shards, failed=found.problems, executor=executor, reach=reach, clock=clock)


def apply(
    selection: Selection,
    change: Change,
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    max_per_second: float = 12.0,
    runs_dir: RunsDir | str = DEFAULT_RUNS_DIR,
    skip_blocked: bool = False,
) -> RunRecord:
    """Plan a change and carry it out, for scripts that are not asynchronous.

    Args:
        selection: which mappings.
        change: what is asked of them.
        region: the Region; by default what the environment or the profile says.
        profile: a profile of the AWS configuration files.
        endpoint_url: another endpoint than AWS's own.
        max_per_second: requests/s to Lambda's control plane.
        runs_dir: where runs are kept.
        skip_blocked: whether to carry out the rest where some mappings are blocked.

    Returns:
        The record of the run, with its counts by outcome.

    Raises:
        BulkEsmError: see `connect`, `BulkEsm.plan` and `BulkEsm.apply`.
    """

    async def main() -> RunRecord:
        async with connect(
            region=region,
            profile=profile,
            endpoint_url=endpoint_url,
            max_per_second=max_per_second,
            runs_dir=runs_dir,
        ) as bulk:
            plan = await bulk.plan(selection, change)
            return await bulk.apply(plan, skip_blocked=skip_blocked)

    return anyio.run(main)
