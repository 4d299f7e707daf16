"""Does one assignment after another, or many side by side, in one event loop, with clients from one session."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import anyio
import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection
from bulk_esm.aws.sessions import Sessions
from bulk_esm.clock import Clock
from bulk_esm.engine.budget import Budget
from bulk_esm.engine.drifting import read_drift
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.engine import Engine
from bulk_esm.engine.inventory import may_get, read_inventory
from bulk_esm.engine.looking_again import look_again
from bulk_esm.engine.planning import gone_since, make_plan, renew_plan
from bulk_esm.engine.settings import BeforeUpdate, EngineSettings, MaySend, unrecorded
from bulk_esm.engine.task_groups import task_group
from bulk_esm.engine.undoing import make_rollback_plan
from bulk_esm.errors import AccessError, BulkEsmError
from bulk_esm.executors.open_shards import OpenShard, OpenShards, expected_account, require_account
from bulk_esm.executors.tasks import (
    Assignment,
    CarryOut,
    Event,
    FindDrift,
    ListMappings,
    LookAgain,
    PlanChange,
    PlanRollback,
    RenewPlan,
    Resulted,
    ShardEnd,
    ShardStatus,
)
from bulk_esm.logs import get_logger
from bulk_esm.model.losses import without_losses
from bulk_esm.model.plan import Plan
from bulk_esm.model.result import Result
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.stopping import Stop
from bulk_esm.model.unplanned import Unplanned

log: Final = get_logger("worker")

_TELL_EVERY_S: Final = 1.0


class Worker:
    """Does assignments in the running event loop.

    Attributes:
        budget: the failure budget that all that is carried out here shares; if None, each has what is left of it.
    """

    def __init__(self, *, clock: Clock | None = None, sessions: Sessions | None = None) -> None:
        """Begin with nothing to do.

        Args:
            clock: the time.
            sessions: what opens connections.
        """
        self.budget: Budget | None = None
        self._clock = clock or Clock()
        self._shards = OpenShards(sessions or Sessions(), clock=self._clock)
        self._stop: Stop | None = None
        self._stops: dict[str, Stop] = {}  # of single shards
        self._is_held = False
        self._running: dict[str, _Running] = {}
        self._looking: set[anyio.CancelScope] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.clear()
        await self._shards.close()

    def adopt(self, shard: Shard, connection: Connection) -> None:
        """Use a connection that is open already; see `OpenShards`."""
        self._shards.adopt(shard, connection)

    def begin(self, budget: Budget | None) -> None:
        """Begin a run: a stop or a hold of the one before is over.

        Args:
            budget: the failure budget that all that is carried out here shares; if None, each has what is left of it.
        """
        self.budget = budget
        self._stop = None
        self._stops.clear()
        self._is_held = False

    def stop(self, stop: Stop, *, hurry: bool = False) -> None:
        """Send nothing more, now or later; what was accepted is still waited for.

        Args:
            stop: why; the first reason stays.
            hurry: whether to look at once at all that was accepted.
        """
        self._stop = self._stop or stop
        for running in list(self._running.values()):
            running.engine.stop(stop, hurry=hurry)
        for scope in list(self._looking):
            scope.cancel()

    def stop_shard(self, shard: str, stop: Stop) -> None:
        """Send nothing more in one shard, now or later; what was accepted there is still waited for.

        Args:
            shard: the shard's name.
            stop: why; the first reason stays.
        """
        self._stops.setdefault(shard, stop)
        if (running := self._running.get(shard)) is not None:
            running.engine.stop(stop)

    def hold(self, *, is_held: bool) -> None:
        """Send nothing for now, or go on; what was accepted is waited for meanwhile.

        Args:
            is_held: whether to send nothing.
        """
        self._is_held = is_held
        for running in list(self._running.values()):
            running.engine.hold(is_held=is_held)

    def status(self, shard: str) -> ShardStatus | None:
        """How the carrying out in a shard stands now; None if there is none.

        Args:
            shard: the shard's name.
        """
        running = self._running.get(shard)
        if running is None:
            return None
        stands, pacer = running.engine.statistics(), running.control_plane.pacer.statistics()
        return ShardStatus(
            shard=shard,
            sending=stands.sending,
            settling=stands.settling,
            rate=pacer.rate,
            requests=running.control_plane.new_request_counts(),
        )

    async def do(
        self,
        assignment: Assignment,
        on_event: Callable[[Event], None],
        *,
        before_update: BeforeUpdate = unrecorded,
        may_send: MaySend = lambda: True,
    ) -> ShardEnd:
        """Do one assignment, whatever happens.

        Args:
            assignment: the task, and where.
            on_event: told what happens meanwhile. What it raises ends the assignment, as a problem of the shard.
            before_update: see `Engine`.
            may_send: see `Engine`.

        Returns:
            What came of it; what went wrong is its `problem`.
        """
        shard = assignment.shard
        end = ShardEnd(shard=shard.name)
        requests: dict[str, int] = {}
        account_id: str | None = None
        is_open = False
        try:
            async with self._shards.use(shard, assignment.reach) as opened:
                is_open = True
                control_plane = opened.connection.control_plane
                expected_account.set(shard.account_id)
                try:
                    end = await self._done(assignment, opened, on_event, before_update, may_send)
                    require_account(control_plane.census.account_id)
                finally:
                    requests, account_id = control_plane.take_request_counts(), control_plane.census.account_id
        except BulkEsmError as error:
            # Where the way in failed, whatever it was is a matter of access.
            is_access = isinstance(error, AccessError) or not is_open
            end = ShardEnd(shard=shard.name, problem=Problem.of(error, is_access=is_access))
        except Exception as bug:
            # One shard's bug must not lose the others.
            log.exception("internal_error", shard=shard.name)
            end = ShardEnd(shard=shard.name, problem=Problem(reason=f"{type(bug).__name__}: {bug}; please report this"))
        return msgspec.structs.replace(end, requests=requests, account_id=account_id)

    async def _done(
        self,
        assignment: Assignment,
        opened: OpenShard,
        on_event: Callable[[Event], None],
        before_update: BeforeUpdate,
        may_send: MaySend,
    ) -> ShardEnd:
        name, task, connection = assignment.shard.name, assignment.task, opened.connection
        clock, timeout_s = self._clock, assignment.reach.timeout_s

        def waiting(count: int) -> None:
            on_event(ShardStatus(shard=name, waiting=count))

        unmatched: tuple[tuple[str, str], ...] | None = None
        known: dict[str, Ending] = {}
        match task:
            case ListMappings():
                found = await read_inventory(connection, task.selection)
                mappings = tuple(mapping.configuration for mapping in found.mappings)
                return ShardEnd(
                    shard=name, mappings=mappings, unknown=found.unknown, unmatched=found.unmatched, seen=found.seen
                )
            case FindDrift():
                drifts = await read_drift(connection, task.items, task.results)
                return ShardEnd(shard=name, drifts=tuple(drifts))
            case LookAgain():
                known = await look_again(
                    connection,
                    task.items,
                    sent=task.sent,
                    doubts=task.doubts,
                    timeout_s=timeout_s,
                    clock=clock,
                    waiting=waiting,
                )
                return ShardEnd(shard=name, known=known)
            case CarryOut():
                return await self._carried_out(assignment, task, opened, on_event, before_update, may_send)
            case PlanChange():
                plan, known, unmatched = await self._planned(task, opened, timeout_s=timeout_s, waiting=waiting)
            case RenewPlan():
                plan, known = await renew_plan(
                    connection,
                    task.plan,
                    doubts=task.doubts,
                    only_its_parameters=task.only_its_parameters,
                    own=task.own,
                    timeout_s=timeout_s,
                    clock=clock,
                    waiting=waiting,
                )
            case PlanRollback():
                plan, known = await make_rollback_plan(
                    connection,
                    task.items,
                    task.results,
                    force=task.force,
                    begun=task.begun,
                    own=task.own,
                    timeout_s=timeout_s,
                    clock=clock,
                    waiting=waiting,
                )
        to_send = (item for item in plan.updates if item.uuid not in known)
        return ShardEnd(
            shard=name,
            plan=plan,
            known=known,
            seen=connection.control_plane.census.total,
            unmatched=unmatched,
            cannot_get=not await may_get(connection.control_plane, to_send),
        )

    async def _planned(
        self, task: PlanChange, opened: OpenShard, *, timeout_s: float, waiting: Callable[[int], None]
    ) -> tuple[Plan, dict[str, Ending], tuple[tuple[str, str], ...]]:
        """The plan of a change, how some of it ends without sending, and what of its selection matches nothing."""
        unmatched: list[tuple[str, str]] = []
        plan = await make_plan(
            opened.connection,
            task.selection,
            task.change or task.changes,
            allow_irreversible=task.allow_irreversible,
            doubts=task.doubts,
            timeout_s=timeout_s,
            clock=self._clock,
            waiting=waiting,
            unmatched=unmatched.extend,
        )
        if task.changes:  # in the order in which they were asked for, as `--order given` has it
            places = {uuid: place for place, uuid in enumerate(task.changes)}
            plan = Plan(tuple(sorted(plan.items, key=lambda item: places[item.uuid])))
        if task.skips_losses_within_s:
            plan = Plan(without_losses(plan.items, task.skips_losses_within_s))
        plan, known = gone_since(plan, task.earlier)
        planned = {item.uuid for item in plan.items}
        opened.state.unplanned = Unplanned(task.selection, planned, doubts=task.doubts)
        return plan, known, tuple(unmatched)

    async def _carried_out(
        self,
        assignment: Assignment,
        task: CarryOut,
        opened: OpenShard,
        on_event: Callable[[Event], None],
        before_update: BeforeUpdate,
        may_send: MaySend,
    ) -> ShardEnd:
        shard, reach, connection = assignment.shard, assignment.reach, opened.connection
        known = dict(task.known)
        updates = [item for item in task.items if item.uuid not in known]
        connection.control_plane.census.expect(task.seen)
        with anyio.CancelScope() as scope:
            self._looking.add(scope)
            if self._stop is not None:
                scope.cancel()
            if task.looks_first:
                # A worker was lost: whatever it had may have been sent.
                sent = frozenset(item.uuid for item in updates)
                known |= await look_again(connection, updates, sent=sent, timeout_s=reach.timeout_s, clock=self._clock)
        self._looking.discard(scope)
        age_s = 0.0 if task.looks_first else math.inf if task.age_s is None else task.age_s
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
            denials=task.denials,
            in_doubt={item.uuid for item in updates} if task.in_doubt else frozenset(),
            before_update=before_update,
            may_send=may_send,
            budget=self.budget,
            times=opened.state.times,
            read_at=self._clock.monotonic() - age_s,
            clock=self._clock,
        )

        def record(result: Result) -> None:
            on_event(Resulted(shard.name, result))

        self._running[shard.name] = _Running(engine, connection.control_plane)
        try:
            engine.hold(is_held=self._is_held)
            if (stop := self._stop or self._stops.get(shard.name)) is not None:
                engine.stop(stop)
            async with task_group() as tasks:
                tasks.start_soon(self._tell, shard.name, on_event)
                await engine.run(task.items, record, wave=task.wave, as_given=task.as_given)
                tasks.cancel_scope.cancel()
        finally:
            self._running.pop(shard.name, None)
        unplanned = dict(opened.state.unplanned.found) if opened.state.unplanned else {}
        return ShardEnd(shard=shard.name, stop=engine.stopped_by, cut_short=engine.cut_short, unplanned=unplanned)

    async def _tell(self, shard: str, on_event: Callable[[Event], None]) -> None:
        while (status := self.status(shard)) is not None:
            on_event(status)
            await self._clock.sleep(_TELL_EVERY_S)

    def _on_the_clock(self, deadline: str | None) -> float:
        if deadline is None:
            return float("inf")
        left_s = (datetime.fromisoformat(deadline) - self._clock.now()).total_seconds()
        return self._clock.monotonic() + left_s


class _Running(msgspec.Struct, frozen=True):
    """What is being carried out in a shard."""

    engine: Engine
    control_plane: ControlPlane
