"""Does one assignment after another, or many side by side, in one event loop, with clients from one session."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import anyio
import msgspec

from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.sessions import Sessions
from bulk_esm.clock import Clock
from bulk_esm.engine.budget import Budget
from bulk_esm.engine.continuing import look_again
from bulk_esm.engine.drifting import read_drift
from bulk_esm.engine.engine import Engine
from bulk_esm.engine.inventory import read_inventory
from bulk_esm.engine.planning import make_plan, renew_plan
from bulk_esm.engine.settings import EngineSettings
from bulk_esm.engine.task_groups import task_group
from bulk_esm.engine.undoing import make_rollback_plan
from bulk_esm.errors import AccessError, BulkEsmError, NoCredentialsError, RefusedError, UsageError
from bulk_esm.executors.tasks import (
    Assignment,
    CarryOut,
    Event,
    FindDrift,
    ListMappings,
    PlanChange,
    PlanRollback,
    RenewPlan,
    Resulted,
    ShardEnd,
    ShardStatus,
)
from bulk_esm.logs import get_logger
from bulk_esm.model.plan import Plan
from bulk_esm.model.result import Result
from bulk_esm.model.shard import Problem
from bulk_esm.model.stopping import Stop

log: Final = get_logger("worker")

_TELL_EVERY_S: Final = 1.0


class Worker:
    """Does assignments in the running event loop.

    Attributes:
        budget: the failure budget that all that is carried out here shares; if None, each has what is left of it.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        """Begin with nothing to do.

        Args:
            clock: the time.
        """
        self.budget: Budget | None = None
        self._clock = clock or Clock()
        self._sessions = Sessions()
        self._stop: Stop | None = None
        self._engines: set[Engine] = set()
        self._looking: set[anyio.CancelScope] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engines.clear()

    def begin(self, budget: Budget | None) -> None:
        """Begin a run: a stop of the one before is over.

        Args:
            budget: the failure budget that all that is carried out here shares; if None, each has what is left of it.
        """
        self.budget = budget
        self._stop = None

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more, now or later; what was accepted is still waited for.

        Args:
            stop: why; the first reason stays.
            hurry: whether to look at once at all that was accepted.
        """
        self._stop = self._stop or stop
        for engine in list(self._engines):
            engine.stop(stop, hurry=hurry)
        for scope in list(self._looking):
            scope.cancel()

    async def do(self, assignment: Assignment, heard: Callable[[Event], None]) -> ShardEnd:
        """Do one assignment, whatever happens.

        Args:
            assignment: the task, and where.
            heard: told what happens meanwhile. What it raises ends the assignment, as a problem of the shard.

        Returns:
            What came of it; what went wrong is its `problem`.
        """
        shard, reach = assignment.shard, assignment.reach
        end = ShardEnd(shard=shard.name)
        settings = ConnectionSettings(
            region=shard.region,
            profile=shard.profile,
            role_arn=shard.role_arn,
            external_id=shard.external_id,
            endpoint_url=reach.endpoint_url,
            max_per_second=shard.max_per_second or reach.max_per_second,
            concurrency=reach.concurrency,
        )
        requests: dict[str, int] = {}
        try:
            async with self._sessions.connect(settings, clock=self._clock) as connection:
                try:
                    end = await self._done(assignment, connection, heard)
                    _require_account(connection, shard.account_id)
                finally:
                    requests = dict(connection.control_plane.request_counts())
        except BulkEsmError as error:
            # Credentials of another account, and a profile that is not there, are a matter of access too.
            is_access = isinstance(error, AccessError | RefusedError | UsageError)
            is_workers = isinstance(error, NoCredentialsError)
            problem = Problem(reason=str(error), is_access=is_access, is_workers=is_workers)
            end = msgspec.structs.replace(ShardEnd(shard=shard.name), problem=problem)
        except Exception as bug:
            # One shard's bug must not lose the others.
            log.exception("internal_error", shard=shard.name)
            end = ShardEnd(shard=shard.name, problem=Problem(reason=f"{type(bug).__name__}: {bug}; please report this"))
        return msgspec.structs.replace(end, requests=requests)

    async def _done(self, assignment: Assignment, connection: Connection, heard: Callable[[Event], None]) -> ShardEnd:
        name, reach, task = assignment.shard.name, assignment.reach, assignment.task

        def waiting(count: int) -> None:
            heard(ShardStatus(shard=name, waiting=count))

        match task:
            case ListMappings():
                found = await read_inventory(connection, task.selection)
                mappings = tuple(mapping.configuration for mapping in found.mappings)
                return ShardEnd(shard=name, mappings=mappings, unknown=found.unknown, seen=found.seen)
            case PlanChange():
                plan = await make_plan(
                    connection,
                    task.selection,
                    task.change or task.changes,
                    allow_irreversible=task.allow_irreversible,
                    timeout_s=reach.timeout_s,
                    clock=self._clock,
                    waiting=waiting,
                )
                if task.changes:  # in the order in which they were asked for, as `--order given` has it
                    places = {uuid: place for place, uuid in enumerate(task.changes)}
                    plan = Plan(tuple(sorted(plan.items, key=lambda item: places[item.uuid])))
                return ShardEnd(shard=name, plan=plan, seen=connection.control_plane.census.total)
            case RenewPlan():
                plan, known = await renew_plan(connection, task.plan)
                return ShardEnd(shard=name, plan=plan, known=known, seen=connection.control_plane.census.total)
            case PlanRollback():
                plan, known = await make_rollback_plan(
                    connection,
                    task.items,
                    task.results,
                    force=task.force,
                    timeout_s=reach.timeout_s,
                    clock=self._clock,
                    waiting=waiting,
                )
                return ShardEnd(shard=name, plan=plan, known=known, seen=connection.control_plane.census.total)
            case FindDrift():
                drifts = await read_drift(connection, task.items, task.results)
                return ShardEnd(shard=name, drifts=tuple(drifts))
            case CarryOut():
                return await self._carried_out(assignment, task, connection, heard)

    async def _carried_out(
        self, assignment: Assignment, task: CarryOut, connection: Connection, heard: Callable[[Event], None]
    ) -> ShardEnd:
        shard, reach = assignment.shard, assignment.reach
        known = dict(task.known)
        updates = [item for item in task.items if item.uuid not in known]
        connection.control_plane.census.expect(task.seen)
        if task.looks_first:
            with anyio.CancelScope() as scope:
                self._looking.add(scope)
                if self._stop is not None:
                    scope.cancel()
                known |= await look_again(connection, updates, timeout_s=reach.timeout_s, clock=self._clock)
            self._looking.discard(scope)
        engine = Engine(
            connection.control_plane,
            run_id=task.run_id,
            account_id=shard.account_id,
            settings=EngineSettings(
                concurrency=reach.concurrency,
                timeout_s=reach.timeout_s,
                most_failures=task.most_failures,
                deadline=self._on_the_clock(task.deadline),
                ramp_s=task.ramp_s,
            ),
            known=known,
            in_doubt={item.uuid for item in updates} if task.looks_first else frozenset(),
            budget=self.budget,
            clock=self._clock,
        )

        def record(result: Result) -> None:
            heard(Resulted(shard.name, result))

        self._engines.add(engine)
        try:
            if self._stop is not None:
                engine.stop(self._stop)
            async with task_group() as tasks:
                tasks.start_soon(self._tell, shard.name, engine, connection, heard)
                await engine.run(task.items, record, wave=task.wave, as_given=task.as_given)
                tasks.cancel_scope.cancel()
        finally:
            self._engines.discard(engine)
        return ShardEnd(shard=shard.name, stop=engine.stopped_by, cut_short=engine.cut_short)

    async def _tell(self, shard: str, engine: Engine, connection: Connection, heard: Callable[[Event], None]) -> None:
        while True:
            status, pacer = engine.statistics(), connection.control_plane.pacer.statistics()
            heard(
                ShardStatus(
                    shard=shard,
                    sending=status.sending,
                    settling=status.settling,
                    granted=pacer.granted,
                    rate=pacer.rate,
                    throttles=pacer.throttles,
                    requests=connection.control_plane.request_counts(),
                )
            )
            await self._clock.sleep(_TELL_EVERY_S)

    def _on_the_clock(self, deadline: str | None) -> float:
        if deadline is None:
            return float("inf")
        left_s = (datetime.fromisoformat(deadline) - self._clock.now()).total_seconds()
        return self._clock.monotonic() + left_s


def _require_account(connection: Connection, account_id: str) -> None:
    here = connection.control_plane.census.account_id
    if here is not None and here != account_id:
        raise RefusedError(f"these credentials are of account {here}, not of {account_id}; name a role or a profile")
