"""Opens a fleet for a command: its shards, who works in them, and the credentials that it starts from."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Final

import anyio
import msgspec

from bulk_esm.api import connect
from bulk_esm.aws.logins import Logins
from bulk_esm.aws.sessions import Sessions
from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import QUOTA_PER_SECOND
from bulk_esm.cli.conduct import exit_code
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.guards import take_lock
from bulk_esm.cli.options import AwsOptions, GuardOptions
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import Pace
from bulk_esm.errors import AccessError
from bulk_esm.executors.local import LocalExecutor
from bulk_esm.executors.protocols import Executor
from bulk_esm.executors.tasks import Reach
from bulk_esm.executors.worker import Worker
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.runs.fleet import Fleet
from bulk_esm.shards.resolve import resolve
from bulk_esm.store.fleet_folder import FleetFolder, ShardEntry
from bulk_esm.store.lock import RunLock

SHARDS_AT_ONCE: Final = 100  # in one process: at 12 requests/s each, more than a core can do
_WORKERS_STOP_WITHIN_S: Final = 25.0  # see `open_dask_executor`, and a while for what is on its way


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """A fleet that is open.

    Attributes:
        fleet: its shards, and who works in them.
        home: the account and Region of the credentials that it starts from.
        options: what was asked.
        after: an earlier run whose shards these are, or None.
    """

    fleet: Fleet
    home: BulkEsm
    options: FleetOptions
    after: RunRecord | None = None

    def of_folder(self, folder: FleetFolder) -> AtWork:
        """The shards of an earlier run that have a plan there.

        Args:
            folder: the run's.
        """
        shards = tuple(entry.shard for entry in folder.fleet().shards if entry.problem is None)
        return replace(self.among(shards), after=folder.record())

    def among(self, shards: Sequence[Shard]) -> AtWork:
        """The same with other shards."""
        return replace(self, fleet=msgspec.structs.replace(self.fleet, shards=tuple(shards), failed=()))

    def pace(self, entries: Sequence[ShardEntry], groups: Sequence[Sequence[Shard]]) -> Pace:
        """How fast it can go: each group as fast as the slowest of its shards, side by side at their own rates.

        Args:
            entries: the shards, with the number of their updates.
            groups: the shards, in the groups that go one after another.
        """
        rates = {entry.shard.name: self._rate(entry.shard) for entry in entries}
        least_s = {entry.shard.name: entry.updates / rates[entry.shard.name] for entry in entries}
        slowest_s = sum(max((least_s.get(shard.name, 0.0) for shard in group), default=0.0) for group in groups)
        lowest, highest = min(rates.values(), default=0.0), max(rates.values(), default=0.0)
        rate = f"{lowest:g}" if lowest == highest else f"{lowest:g} to {highest:g}"
        return Pace(least_s=slowest_s, rate=f"{rate} requests/s in each shard")

    async def outwait(self) -> None:
        """Wait until no worker of a killed run can be at work any more: it would send beside what is sent now."""
        after = self.after
        if after is not None and after.status is RunStatus.RUNNING and any("dask" in word for word in after.argv):
            what = f"{after.run_id} was killed, and its Dask workers stop by themselves"
            say(f"{what}: waiting {_WORKERS_STOP_WITHIN_S:g} s")
            await anyio.sleep(_WORKERS_STOP_WITHIN_S)

    def _rate(self, shard: Shard) -> float:
        return shard.max_per_second or self.fleet.reach.max_per_second


def with_fleet(
    options: FleetOptions,
    aws: AwsOptions,
    work: Callable[[AtWork], Awaitable[int]],
    *,
    folder: FleetFolder | None = None,
) -> int:
    """Do something with a fleet.

    Args:
        options: which fleet, and who works.
        aws: how AWS is reached.
        work: what to do; it returns the exit code.
        folder: an earlier run, whose shards are meant.

    Raises:
        BulkEsmError: whatever ends the command.
    """

    async def main() -> int:
        _raise_file_limit()
        reach = Reach(
            endpoint_url=aws.endpoint_url,
            max_per_second=aws.rate,
            concurrency=aws.concurrency,
            timeout_s=aws.timeout,
        )
        async with AsyncExitStack() as stack:
            settings = options.settings(aws.profile)
            settings.check()
            # A scheduler that does not answer is told of before AWS is asked anything.
            executor = await stack.enter_async_context(_open_executor(options))
            region = aws.region or Logins().home_region(aws.profile) or _first_region(options, folder)
            home = await stack.enter_async_context(
                connect(
                    region=region,
                    profile=aws.profile,
                    endpoint_url=aws.endpoint_url,
                    max_per_second=aws.rate,
                    concurrency=aws.concurrency,
                    timeout_s=aws.timeout,
                )
            )
            if aws.rate > QUOTA_PER_SECOND and home.control_plane.is_aws:
                say(f"warning: --rate {aws.rate:g} is above the {QUOTA_PER_SECOND} requests/s that Lambda gives")
            fleet = Fleet(shards=(), executor=executor, reach=reach)
            at_work = AtWork(fleet=fleet, home=home, options=options)
            if folder is not None:
                return await work(at_work.of_folder(folder))
            found = await resolve(settings, sessions=Sessions(), reach=reach, home_region=home.region)
            fleet = msgspec.structs.replace(fleet, shards=found.shards, failed=found.problems)
            return await work(replace(at_work, fleet=fleet))

    return anyio.run(main)


@asynccontextmanager
async def _open_executor(options: FleetOptions) -> AsyncIterator[Executor]:
    if options.executor == "local":
        async with Worker() as worker:
            yield LocalExecutor(worker, at_once=options.shards_at_once or SHARDS_AT_ONCE)
        return
    from bulk_esm.executors.remote import open_dask_executor, open_process_executor  # noqa: PLC0415 - only when it is wanted

    if options.executor == "process":
        async with open_process_executor(workers=None, at_once=options.shards_at_once) as executor:
            yield executor
        return
    async with open_dask_executor(options.scheduler or "", at_once=options.shards_at_once) as executor:
        if executor.warning is not None:
            say(f"warning: {executor.warning}")
        yield executor


def _first_region(options: FleetOptions, folder: FleetFolder | None) -> str | None:
    """A Region in which to ask what is no matter of a Region, where the environment names none."""
    if folder is not None:
        return next((entry.shard.region for entry in folder.fleet().shards), None)
    return options.first_region


@contextmanager
def hold_locks(at_work: AtWork, command: str, guards: GuardOptions) -> Iterator[list[RunLock]]:
    """Hold the locks of all shards on this machine.

    Raises:
        RefusedError: another run holds one.
    """
    with ExitStack() as stack:
        locks: list[RunLock] = []
        if not guards.no_lock:
            for shard in at_work.fleet.shards:
                lock = take_lock(at_work.home, shard.account_id, shard.region, command)
                locks.append(stack.enter_context(lock))
        yield locks


def exit_code_of(record: RunRecord | None, problems: Sequence[Problem | None]) -> int:
    """The exit code of a command over a fleet; see the README.

    Args:
        record: the run's, if it came to one.
        problems: of each shard, why it could not be worked in.
    """
    failed = [problem for problem in problems if problem is not None]
    if failed and len(failed) == len(problems):
        return AccessError.exit_code if all(problem.is_access for problem in failed) else 1
    code = 0 if record is None else exit_code(record)
    return code or (1 if failed else 0)


def _raise_file_limit() -> None:
    """Hundreds of shards have thousands of connections, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, 65_536) if soft < 65_536 else soft, hard))  # noqa: PLR2004
