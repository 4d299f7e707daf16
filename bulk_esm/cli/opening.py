"""Opens what a command works with: its shards, who works in them, and the credentials that it starts from."""

from __future__ import annotations

import asyncio
import itertools
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Literal

import anyio

from bulk_esm.api import connect
from bulk_esm.aws.logins import Logins
from bulk_esm.aws.regions import unknown_region
from bulk_esm.bulk import DEFAULT_RUNS_DIR, BulkEsm
from bulk_esm.cli import collect_garbage
from bulk_esm.cli.configured import is_configured
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import AwsOptions, GuardOptions
from bulk_esm.cli.signals import INTERRUPTED, heard, leave
from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError
from bulk_esm.executors.protocols import Executor
from bulk_esm.model.checked import AboveZero, AtLeastOne, taken
from bulk_esm.store.place import RunsDir
from bulk_esm.store.run_files import RunFiles

QUOTA_PER_SECOND: Final = 15
AUTO: Final = "auto"


def with_bulk(
    aws: AwsOptions,
    fleet: FleetOptions,
    work: Callable[[BulkEsm], Awaitable[int]],
    *,
    region: str | None = None,
    runs_dir: RunsDir = DEFAULT_RUNS_DIR,
    files: RunFiles | None = None,
    may_do_without_cluster: bool = False,
) -> int:
    """Do something with the shards that the flags name, or with those of an earlier run.

    Where it may do without the Dask cluster, as nobody has asked for it but an earlier run, this process works then.
    """
    check_reach(aws)

    async def main() -> int:
        _raise_file_limit()
        reach = aws.reach
        settings = fleet.settings(aws.profile) if fleet.is_given and files is None else None
        # A scheduler that does not answer is told of before AWS is asked anything.
        async with (
            _open_executor(fleet, may_do_without=may_do_without_cluster) as executor,
            connect(
                region=home_region_of(aws, fleet, region, files),
                profile=aws.profile,
                endpoint_url=reach.endpoint_url,
                max_per_second=reach.max_per_second,
                concurrency=reach.concurrency,
                timeout_s=reach.timeout_s,
                fleet=settings,
                executor=executor,
                shards_at_once=fleet.shards_at_once,
                runs_dir=runs_dir,
            ) as bulk,
        ):
            rate = reach.max_per_second
            if rate > QUOTA_PER_SECOND and bulk.home.control_plane.is_aws:
                say(f"warning: --rate {rate:g} is above the {QUOTA_PER_SECOND} requests/s that Lambda gives")
            there = bulk if files is None else bulk.of_run(files)
            if aws.rate == AUTO:
                from bulk_esm.cli.rates import at_found_rates

                there = await at_found_rates(there)
            return await work(there)

    return anyio.run(interruptible, main)


def check_reach(aws: AwsOptions) -> None:
    """Refuse what makes no sense, before anything is sent.

    Raises:
        UsageError: an unknown Region, or a number that is none.
    """
    if aws.region is not None and (unknown := unknown_region(aws.region)) is not None:
        raise UsageError(f"--region {unknown}")
    taken("--rate", None if aws.rate == AUTO else aws.rate, AboveZero | None)
    taken("--concurrency", aws.concurrency, AtLeastOne | None)


async def interruptible(work: Callable[[], Awaitable[int]]) -> int:
    """Do something that a signal cancels, so that it tidies up; another one leaves at once.

    Args:
        work: does it, and gives the exit code; a run within it hears signals itself.
    """
    collect_garbage()
    loop, signals = asyncio.get_running_loop(), itertools.count(1)

    def on_signal(_: int) -> None:
        if next(signals) > 1:
            leave()
        loop.call_soon_threadsafe(scope.cancel)

    with anyio.CancelScope() as scope, heard(on_signal):
        return await work()
    return INTERRUPTED


@asynccontextmanager
async def _open_executor(
    options: FleetOptions, *, may_do_without: bool
) -> AsyncIterator[Executor | Literal["local", "process"]]:
    if options.executor != "dask":
        yield options.executor or "local"
        return
    from bulk_esm.executors.remote import open_dask_executor  # only when it is wanted

    async with AsyncExitStack() as stack:
        try:
            executor = await stack.enter_async_context(
                open_dask_executor(options.scheduler or "", at_once=options.shards_at_once)
            )
        except UsageError as error:
            if not may_do_without:
                raise
            say(f"warning: this process does the work, as that run's Dask cluster does not: {error}")
            yield "local"
            return
        if executor.warning is not None:
            say(f"warning: {executor.warning}")
        yield executor


def home_region_of(
    aws: AwsOptions, fleet: FleetOptions, region: str | None = None, files: RunFiles | None = None
) -> str | None:
    """The Region that all starts from: of an earlier run of the home shard, its own."""
    if files is not None and not files.has_shards:
        region = files.record().region
    if aws.region and (
        region is None or not is_configured("--region")
    ):  # where a plan or run was is no default's matter
        return aws.region
    if files is not None and files.has_shards:
        return Logins().home_region(aws.profile) or next((shard.region for shard in files.planned()), None)
    if fleet.is_given:
        return Logins().home_region(aws.profile) or fleet.first_region
    return region


@asynccontextmanager
async def locked(
    bulk: BulkEsm, command: str, guards: GuardOptions, *, taken_up: Sequence[RunFiles] = ()
) -> AsyncIterator[None]:
    """Hold the locks of all shards on this machine from planning to the end; none with `--no-lock`.

    Args:
        bulk: the shards.
        command: what for.
        guards: whether to.
        taken_up: the runs that are continued, put back or resumed, wherever they are kept.

    Raises:
        RefusedError: another run holds one.
    """
    bulk.locks.wanted = not guards.no_lock
    async with bulk.locked(command, taken_up=taken_up, told=say):
        yield


def _raise_file_limit() -> None:
    """Hundreds of shards have thousands of connections, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, 65_536) if soft < 65_536 else soft, hard))  # noqa: PLR2004
