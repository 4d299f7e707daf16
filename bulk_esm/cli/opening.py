"""Opens what a command works with: its shards, who works in them, and the credentials that it starts from."""

from __future__ import annotations

import asyncio
import itertools
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Literal

import anyio

from bulk_esm.api import connect
from bulk_esm.aws.logins import Logins
from bulk_esm.bulk import DEFAULT_RUNS_DIR, BulkEsm
from bulk_esm.cli import collect_garbage
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.guards import take_lock
from bulk_esm.cli.options import AwsOptions, GuardOptions, OutputOptions
from bulk_esm.cli.signals import INTERRUPTED, heard, leave
from bulk_esm.cli.streams import say
from bulk_esm.executors.protocols import Executor
from bulk_esm.logs import log_to_stderr
from bulk_esm.store.lock import RunLock
from bulk_esm.store.run_files import RunFiles

QUOTA_PER_SECOND: Final = 15


def set_up_logs(options: OutputOptions) -> None:
    """Show the log on stderr as the flags say."""
    log_to_stderr(options.log_level, as_json=options.log_format == "json")


def with_bulk(
    aws: AwsOptions,
    fleet: FleetOptions,
    work: Callable[[BulkEsm], Awaitable[int]],
    *,
    region: str | None = None,
    runs_dir: Path = DEFAULT_RUNS_DIR,
    files: RunFiles | None = None,
) -> int:
    """Do something with the shards that the flags name, or with those of an earlier run."""

    async def main() -> int:
        _raise_file_limit()
        settings = fleet.settings(aws.profile) if fleet.is_given and files is None else None
        # A scheduler that does not answer is told of before AWS is asked anything.
        async with (
            _open_executor(fleet) as executor,
            connect(
                region=_region(aws, fleet, region, files),
                profile=aws.profile,
                endpoint_url=aws.endpoint_url,
                max_per_second=aws.rate,
                concurrency=aws.concurrency,
                timeout_s=aws.timeout,
                fleet=settings,
                executor=executor,
                shards_at_once=fleet.shards_at_once,
                runs_dir=runs_dir,
            ) as bulk,
        ):
            if aws.rate > QUOTA_PER_SECOND and bulk.home.control_plane.is_aws:
                say(f"warning: --rate {aws.rate:g} is above the {QUOTA_PER_SECOND} requests/s that Lambda gives")
            return await work(bulk if files is None else bulk.of_run(files))

    return anyio.run(interruptible, main)


async def interruptible(work: Callable[[], Awaitable[int]]) -> int:
    """Do something that a signal cancels, so that it tidies up; another one leaves at once.

    Args:
        work: does it, and gives the exit code; a run within it hears signals itself.
    """
    collect_garbage()
    loop, signals = asyncio.get_running_loop(), itertools.count(1)

    def on_signal() -> None:
        if next(signals) > 1:
            leave()
        loop.call_soon_threadsafe(scope.cancel)

    with anyio.CancelScope() as scope, heard(on_signal):
        return await work()
    return INTERRUPTED


@asynccontextmanager
async def _open_executor(options: FleetOptions) -> AsyncIterator[Executor | Literal["local", "process"]]:
    if options.executor != "dask":
        yield options.executor
        return
    from bulk_esm.executors.remote import open_dask_executor  # only when it is wanted

    async with open_dask_executor(options.scheduler or "", at_once=options.shards_at_once) as executor:
        if executor.warning is not None:
            say(f"warning: {executor.warning}")
        yield executor


def _region(aws: AwsOptions, fleet: FleetOptions, region: str | None, files: RunFiles | None) -> str | None:
    """The Region that all starts from: of an earlier run of the home shard, its own."""
    if files is not None and not files.has_shards:
        region = files.record().region
    if aws.region:
        return aws.region
    if files is not None and files.has_shards:
        return Logins().home_region(aws.profile) or next((shard.region for shard in files.planned()), None)
    if fleet.is_given:
        return Logins().home_region(aws.profile) or fleet.first_region
    return region


@contextmanager
def held_locks(locks: list[RunLock]) -> Iterator[list[RunLock]]:
    """Hold some locks, and let them go at the end."""
    with ExitStack() as stack:
        for lock in locks:
            stack.enter_context(lock)
        yield locks


async def lock_shards(
    bulk: BulkEsm, command: str, guards: GuardOptions, *, taken_up: Sequence[RunFiles] = ()
) -> list[RunLock]:
    """Take the locks of all shards on this machine; none with `--no-lock`.

    Args:
        bulk: the shards.
        command: what for.
        guards: whether to.
        taken_up: the runs that are continued, put back or resumed, wherever they are kept.

    Raises:
        RefusedError: another run holds one.
    """
    locks: list[RunLock] = []
    runs_dirs = [bulk.runs_dir, *(files.path.absolute().parent for files in taken_up)]
    try:
        for shard in () if guards.no_lock else bulk.shards:
            account_id = shard.account_id or await bulk.account_id()
            locks.append(take_lock(bulk.home.control_plane, account_id, shard.region, command, runs_dirs))
    except BaseException:
        for lock in reversed(locks):  # the first has made the folders
            lock.release()
        raise
    return locks


def _raise_file_limit() -> None:
    """Hundreds of shards have thousands of connections, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, 65_536) if soft < 65_536 else soft, hard))  # noqa: PLR2004
