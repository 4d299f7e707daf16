"""The shards of a program or a command, and what can be done with their mappings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import anyio
import msgspec

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.aws.identity import Identity
from bulk_esm.aws.session import Connection
from bulk_esm.errors import AccessError, RefusedError, ServiceError, UsageError
from bulk_esm.executors.tasks import PlanChange, PlanRollback, RenewPlan, Task
from bulk_esm.gates.alarm import Found
from bulk_esm.gates.gate import Gate
from bulk_esm.model.calendars import CalendarState
from bulk_esm.model.change import Change
from bulk_esm.model.checked import Count, Seconds, check_aware, taken
from bulk_esm.model.doubts import Doubts
from bulk_esm.model.plan import Action, Plan
from bulk_esm.model.records import Intent, RunRecord
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.observers.observer import Observer
from bulk_esm.runs.beginnings import with_whole_uuids
from bulk_esm.runs.continuing import RunRest, plan_rest
from bulk_esm.runs.each_shard import Told, nobody, raise_if_only
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.listing import Inventory, list_mappings
from bulk_esm.runs.locking import HeldLocks, Locks, release
from bulk_esm.runs.metric_gate import gate_of_run
from bulk_esm.runs.own_changes import own_changes
from bulk_esm.runs.planning import PlanContext, RunPlan, plan_run, split_saved
from bulk_esm.runs.recent import recent_doubts, seconds_to_wait
from bulk_esm.runs.resuming import PausedShards, all_paused, place_of
from bulk_esm.runs.run import Run
from bulk_esm.runs.shard_alarms import read_shard_alarms
from bulk_esm.runs.verifying import Verification, verify_run
from bulk_esm.store.finding import find_run, readable_runs
from bulk_esm.store.place import RunsDir, place_at
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.temporary import temporary_folder

DEFAULT_RUNS_DIR: Final = Path("bulk-esm-runs")
_WHO_WE_ARE_WITHIN_S: Final = 2.0
_ALONE: Final = PlanContext()

Waiting = Callable[[str, int], None]


class BulkEsm:
    """The mappings of one account and Region, or of many. Made by `connect`."""

    def __init__(
        self,
        fleet: Fleet,
        home: Connection,
        *,
        runs_dir: RunsDir,
        plans: ExitStack,
        who: list[Identity | None] | None = None,
        earlier: RunsDir | None = None,
        locks: Locks | None = None,
    ) -> None:
        """Take over what is open; see `connect`."""
        self.fleet = fleet
        self.home = home
        self.runs_dir = runs_dir
        self._earlier = earlier or runs_dir  # where the runs are that List may not show yet
        self._plans = plans
        control_plane = home.control_plane
        endpoint_url = None if control_plane.is_aws else control_plane.endpoint_url
        shared = place_at(runs_dir).locks_for(endpoint_url)
        self.locks = locks or Locks(endpoint_url=endpoint_url, clock=fleet.clock, shared=shared)
        self._who = [] if who is None else who  # what STS answered, if it was asked, shared by all of these

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The accounts and Regions."""
        return self.fleet.shards

    @property
    def region(self) -> str:
        """The Region that all starts from."""
        return self.home.region

    def among(
        self,
        shards: Sequence[Shard],
        *,
        is_named: bool | None = None,
        failed: tuple[tuple[Shard, Problem], ...] = (),
    ) -> BulkEsm:
        """The same with other shards.

        Args:
            shards: of these, or of an earlier run.
            is_named: whether each has a folder of its own; as these have if left out.
            failed: those that are known to be out of reach, and why.
        """
        fleet = msgspec.structs.replace(self.fleet.among(shards), failed=failed)
        if is_named is not None:
            fleet = msgspec.structs.replace(fleet, is_named=is_named)
        return BulkEsm(
            fleet,
            self.home,
            runs_dir=self.runs_dir,
            plans=self._plans,
            who=self._who,
            earlier=self._earlier,
            locks=self.locks,
        )

    async def account_id(self) -> str | None:
        """The account of the credentials: STS is asked once, for 2 s; else the first mapping tells. None if none does.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: Lambda did not answer either.
        """
        return await self._ask_sts() or await self.home.control_plane.account_id()

    async def _ask_sts(self) -> str | None:
        """The account of the credentials; None where STS does not answer, as some networks reach only Lambda."""
        if not self._who:
            self._who.append(None)
            with anyio.move_on_after(_WHO_WE_ARE_WITHIN_S), suppress(ServiceError):
                self._who[0] = await self.home.identity()
        return self._who[0].account_id if self._who[0] is not None else None

    @property
    def principal_arn(self) -> str | None:
        """The identity of the credentials, if STS was asked and did answer."""
        return self._who[0].arn if self._who and self._who[0] is not None else None

    async def require_home_account(self) -> None:
        """Refuse to go on in another account than that of an earlier plan or run, before Lambda is asked anything more.

        Raises:
            RefusedError: the credentials are of another account.
        """
        if self.fleet.is_named:
            return  # each shard's is compared by whoever works there
        (shard,) = self.shards
        # Where STS is out of reach the first page tells: what is read by UUID alone would seem to be deleted.
        here = await self.account_id() if shard.account_id is not None else None
        if here is not None and here != shard.account_id:
            raise RefusedError(f"that was planned in account {shard.account_id}, and these credentials are of {here}")

    @asynccontextmanager
    async def locked(
        self,
        command: str = "apply",
        *,
        taken_up: Iterable[RunFiles] = (),
        told: Callable[[str], None] = nobody,
    ) -> AsyncIterator[None]:
        """Hold the locks of all these accounts and Regions from planning on, and not only while a run is carried out.

        A plan that is made within is of what no other run of this machine changes before it has been carried out.

        Args:
            command: what for, as whoever is refused meanwhile is told.
            taken_up: the runs that are continued, put back or resumed, wherever they are kept.
            told: hears what is waited for, in another thread: of locks in a bucket whose holders may be gone.

        Raises:
            RefusedError: another run holds one.
            AccessError: the credentials are refused.
            ServiceError: nobody could tell whose account it is.
        """
        shards = []
        for shard in self.shards if self.locks.wanted else ():
            account_id = shard.account_id or await self.account_id()
            shards.append(msgspec.structs.replace(shard, account_id=account_id))
        runs_dirs = [place_at(self.runs_dir).folder, *(files.path.absolute().parent for files in taken_up)]
        async with self.locks.around(shards, command=command, runs_dirs=runs_dirs, told=told):
            yield

    async def alarms(self, names: tuple[str, ...]) -> Sequence[AlarmState]:
        """The states of CloudWatch alarms in the account and Region that all starts from; see `read_alarms`."""
        return await self.home.alarms(taken("names", names, tuple[str, ...]))

    async def shard_alarms(self, names: tuple[str, ...], shards: Sequence[Shard]) -> Mapping[str, Found]:
        """The states of CloudWatch alarms in each of some shards, with that shard's credentials; see `read_alarms`.

        Args:
            names: of the alarms; each shard has alarms of these names.
            shards: the shards.

        Returns:
            By the shard's name: the states, or why they cannot be read.
        """
        return await read_shard_alarms(self.fleet, self.home, taken("names", names, tuple[str, ...]), shards)

    async def calendars(self, names: tuple[str, ...]) -> Sequence[CalendarState]:
        """How change calendars stand in the account and Region that all starts from; see `read_calendars`."""
        return await self.home.calendars(taken("names", names, tuple[str, ...]))

    async def list(self, selection: Selection, *, told: Told = nobody) -> Inventory:
        """Read the selected mappings; an empty selection reads all of them.

        Args:
            selection: which mappings.
            told: called with what each shard has, as it is read; then the inventory names no mappings.

        Raises:
            UsageError: the selection makes no sense.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        selection = await with_whole_uuids(self.fleet, taken("selection", selection, Selection))
        return await list_mappings(self.fleet, selection, told=told)

    async def plan(
        self,
        selection: Selection,
        change: Change | Mapping[str, Change],
        *,
        allow_irreversible: bool = False,
        skips_losses_within_s: float = 0.0,
        context: PlanContext = _ALONE,
    ) -> RunPlan:
        """Decide what would be sent to each selected mapping; changes nothing.

        Args:
            selection: which mappings.
            change: what is asked of all of them; or of each by UUID, which selects too.
            allow_irreversible: whether what can never be taken back may be changed.
            skips_losses_within_s: leaves out what would lose data in a pause of so many seconds; 0 leaves nothing out.
            context: what it is for, and who is told meanwhile.

        Raises:
            UsageError: nothing is selected, or the change could be taken by no mapping.
            BulkEsmError: what kept the only shard from being planned; of several, `RunPlan.problems` tells.
        """
        selection = taken("selection", selection, Selection)
        if isinstance(change, Mapping):
            change = taken("change", dict(change), dict[str, Change])
        else:
            change = taken("change", change, Change)
        if selection.is_empty and isinstance(change, Change):
            raise UsageError("nothing is selected: narrow it down, or say --all for every mapping")
        selection = await with_whole_uuids(self.fleet, selection)
        skips_s = taken("skips_losses_within_s", skips_losses_within_s, Seconds)
        task = PlanChange.of(selection, change, allow_irreversible=allow_irreversible)
        task = msgspec.structs.replace(task, skips_losses_within_s=skips_s)
        return await self.plan_tasks(lambda shard: msgspec.structs.replace(task, doubts=self._doubts(shard)), context)

    async def renew(
        self,
        saved: Plan,
        *,
        only_its_parameters: bool = False,
        saved_at: datetime | None = None,
        context: PlanContext = _ALONE,
    ) -> RunPlan:
        """Look at what a saved plan finds today; what someone changed since is a conflict.

        Args:
            saved: the plan.
            only_its_parameters: whether only changes to what the plan sets count as someone's.
            saved_at: when it was saved; what runs of this store set since is then nobody else's change.
            context: see `plan`.

        Raises:
            RefusedError: the plan has mappings of an account or Region that is none of these.
        """
        parts = split_saved(saved)

        def task_of(shard: Shard) -> RenewPlan:
            plan = parts[shard.account_id, shard.region] if self.fleet.is_named else saved
            own = own_changes(self._earlier, shard, since=saved_at) if saved_at else {}
            return RenewPlan(plan, doubts=self._doubts(shard), only_its_parameters=only_its_parameters, own=own)

        return await self.for_plan(saved).plan_tasks(task_of, context)

    def for_plan(self, saved: Plan, *, name: str = "that") -> BulkEsm:
        """The same with the shards of which a saved plan has mappings.

        Args:
            saved: the plan.
            name: what to call it in messages.

        Raises:
            UsageError: it has mappings of several accounts or Regions, and no fleet was named.
            RefusedError: the plan has mappings of an account or Region that is none of these.
        """
        if not self.fleet.is_named:
            (shard,) = self.shards
            saved.check_is_in_one_place()
            if saved.region not in (None, shard.region):
                raise RefusedError(f"{name} was planned in {saved.region}, not in {shard.region}")
            return self.among([msgspec.structs.replace(shard, account_id=shard.account_id or saved.account_id)])
        places = split_saved(saved).keys()
        shards = [shard for shard in self.shards if (shard.account_id, shard.region) in places]
        missing = places - {(shard.account_id, shard.region) for shard in shards}
        if missing:
            names = ", ".join(sorted(f"{account_id}-{region}" for account_id, region in missing)[:5])
            raise RefusedError(
                f"the plan has mappings of {names}, which the fleet does not have; name all that it was made for"
            )
        return self.among(shards)

    async def plan_rollback(
        self,
        run: Path | str | RunFiles,
        *,
        force: bool = False,
        shards: AbstractSet[str] = frozenset(),
        context: PlanContext = _ALONE,
    ) -> RunPlan:
        """Decide what would put back what a run changed; changes nothing.

        Args:
            run: the run: its folder, its id, or a unique prefix of that.
            force: whether to put it back even where someone changed the mapping since.
            shards: of a run over several the names of those in which it is put back; all if left out.
            context: see `plan`.

        Returns:
            A plan like any other, with a conflict for each mapping that someone changed since.

        Raises:
            RunFolderError: its files cannot be read.
        """
        files = self._files(run)
        started_at = datetime.fromisoformat(files.record().started_at)

        def task_of(shard: Shard) -> PlanRollback:
            found = files.shard(shard)
            items, results = found.plan().items, tuple(found.results())
            own = own_changes(self._earlier, shard, since=started_at)
            return PlanRollback(items=items, results=results, begun=found.begun(), force=force, own=own)

        await self.fleet.clock.sleep(self.seconds_to_wait(files))
        intent = msgspec.structs.replace(context.intent, command="rollback", undoes=files.record().run_id)
        there = self.of_run(files)
        if shards:
            there = there.among([shard for shard in there.shards if shard.name in shards])
        return await there.plan_tasks(task_of, msgspec.structs.replace(context, intent=intent))

    def all_paused(self, *, salvage: bool = False) -> PausedShards:
        """What any run in `runs_dir` paused and nothing has resumed: here, or in all accounts and Regions of the runs.

        Of a fleet it is what is in its shards; else all, as each run says how its shards are reached.

        Args:
            salvage: whether to work with what is whole of damaged files.

        Raises:
            UsageError: nothing is.
        """
        paused = all_paused(run for run, _ in readable_runs(self.runs_dir, salvage=salvage))
        return (
            paused.within((*self.shards, *(shard for shard, _ in self.fleet.failed))) if self.fleet.is_named else paused
        )

    async def among_paused(self, paused: PausedShards) -> BulkEsm:
        """The same with the shards in which runs paused something.

        What was paused with credentials as they are is reached by those of this command, if the account is the same.

        Args:
            paused: what they paused.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        if not paused.has_shards and paused.shards[0].region == self.region:
            return self
        failed = {shard.name: (shard, why) for shard, why in self.fleet.failed if place_of(shard) in paused.by_place}
        shards = []
        for shard in paused.shards:
            if shard.name in failed:
                continue
            if shard.role_arn is None and shard.profile is None:
                shard = msgspec.structs.replace(shard, profile=self.home.profile)  # noqa: PLW2901 - its way in
                here = await self.account_id()
                if None not in (here, shard.account_id) and here != shard.account_id:
                    failed[shard.name] = shard, Problem.of(_elsewhere(shard, here))
                    continue
            shards.append(shard)
        return self.among(shards, is_named=True, failed=tuple(failed.values()))

    async def plan_resuming(self, paused: PausedShards | None = None, *, context: PlanContext = _ALONE) -> RunPlan:
        """Decide what would enable just those mappings that runs paused.

        Args:
            paused: what they paused, from `paused_by_runs`; all that is still paused if left out, see `all_paused`.
            context: see `plan`.

        Raises:
            UsageError: they paused nothing.
        """
        paused = self.all_paused() if paused is None else paused
        if not paused.uuids:  # which would select all there are
            raise UsageError("these runs paused no mapping, so there is nothing to resume")
        there = await self.among_paused(paused)

        def task_of(shard: Shard) -> PlanChange:
            place = place_of(shard) if there.fleet.is_named else next(iter(paused.by_place))
            uuids, earlier = paused.by_place[place], paused.items_of(place)
            task = PlanChange.of(Selection(uuids=uuids), Change({"Enabled": True}))
            doubts = self._doubts(shard, *paused.runs).among(uuids)
            return msgspec.structs.replace(task, doubts=doubts, earlier=earlier)

        await self.fleet.clock.sleep(self.seconds_to_wait(*paused.runs))
        undoes = ",".join(run.record().run_id for run in paused.runs)
        intent = msgspec.structs.replace(context.intent, command="resume", undoes=undoes)
        context = msgspec.structs.replace(context, intent=intent, uuids_are_of_shards=True)
        return await there.plan_tasks(task_of, context)

    def seconds_to_wait(self, *runs: RunFiles) -> float:
        """How long something of runs that did not end may still be on its way to Lambda, in seconds; see `recent`.

        Args:
            runs: the runs.
        """
        now_s, rate = self.fleet.clock.now().timestamp(), self.fleet.reach.max_per_second
        return max((seconds_to_wait(run, now_s=now_s, max_per_second=rate) for run in runs), default=0.0)

    async def plan_rest(
        self,
        run: Path | str | RunFiles,
        *,
        waiting: Waiting = nobody,
        looking: Callable[[int], None] = nobody,
    ) -> RunRest:
        """Look at what a run that did not end well has left; changes nothing, on disk or in Lambda.

        What a killed run has sent last may still be on its way: that is waited for first.

        Args:
            run: the run: its folder, its id, or a unique prefix of that.
            waiting: called with a shard's name and its number of mappings in transition, before they are waited for.
            looking: called with the number of mappings that are looked at with Get, or may have to be, before they are.

        Raises:
            RunFolderError: its files cannot be read.
        """
        files = self._files(run)
        there = self.of_run(files)
        await there.require_home_account()
        await self.fleet.clock.sleep(self.seconds_to_wait(files))
        rest = await plan_rest(there.fleet, files, doubts_about=self._doubts, waiting=waiting, looking=looking)
        shards = (*files.planned(), *files.unplanned())
        rest.principal_arn = self.principal_arn
        rest.lock = lambda: self._lock(shards, "continue", files.path.absolute().parent)
        return rest

    async def verify(self, run: Path | str | RunFiles, *, told: Told = nobody) -> Verification:
        """Tell which mappings no longer have what a run set; changes nothing.

        Args:
            run: the run: its folder, its id, or a unique prefix of that.
            told: called as each shard ends.

        Raises:
            RefusedError: the run is of another account, or Region.
            RunFolderError: its files cannot be read.
        """
        files = self._files(run)
        there = self.of_run(files)
        await there.require_home_account()
        return await verify_run(there.fleet, files, told=told)

    def prepare(
        self,
        plan: RunPlan,
        *,
        intent: Intent | None = None,
        skip_blocked: bool = False,
        groups: Sequence[Sequence[Shard]] | None = None,
        most_failed_shards: int | None = None,
        deadline: datetime | None = None,
    ) -> Run:
        """Write a plan down as a run that is ready to start; nothing is sent yet.

        From now on the run holds the lock of its accounts and Regions on this machine, until it has been carried out
        or this closes.

        Args:
            plan: the plan.
            intent: what it is for, and how it is to go: waves, budget and gates; what it was planned for if left out.
            skip_blocked: whether to carry out the rest of a plan in which some mappings are blocked.
            groups: the shards, in groups that go one after another; all at once if left out.
            most_failed_shards: how many shards may fail before the run halts; None for any number.
            deadline: when all should have ended; what could not settle by then is not sent.

        Raises:
            UsageError: a setting of the wrong type, or a deadline without a zone.
            RefusedError: some mappings are blocked, or another run is at work there.
            RunFolderError: the folder cannot be written.
        """
        taken("intent", intent, Intent | None)
        taken("most_failed_shards", most_failed_shards, Count | None)
        check_aware("deadline", deadline)
        blocked = plan.count(Action.BLOCKED)
        if blocked and not skip_blocked:
            raise RefusedError(f"{blocked} mappings are blocked; nothing was sent. Narrow the selection or skip them")
        intent = intent or plan.intent
        undoes, rollout = intent.undoes or plan.intent.undoes, self._with_pace(intent.rollout)
        intent = msgspec.structs.replace(intent, undoes=undoes, rollout=rollout)
        planned = [entry.shard for entry in plan.entries if entry.problem is None]
        locks = self._lock(planned, intent.command, place_at(self.runs_dir).folder)
        try:
            principal_arn = self.principal_arn
            files = plan.publish(intent, groups or [plan.shards], most_failed_shards, principal_arn=principal_arn)
        except BaseException:
            release(locks.own)
            raise
        self.locks.tell(locks, files.path)
        return Run(self.fleet, files, shards=plan.fleet_record, known=plan.known, deadline=deadline, locks=locks)

    def watching(self, run: Run, *, tell: Callable[[str], None] = nobody) -> tuple[Gate, Observer]:
        """The gate that watches a run by CloudWatch's metrics, as `watch` of its settings says, and its observer.

        Both are handed to `carry_out`: the observer counts for the gate who was changed.

        Args:
            run: a run that is ready.
            tell: told what is to be known.

        Raises:
            UsageError: a file that a watch names makes no sense.
            RunFolderError: the run's files cannot be read.
        """
        return gate_of_run(self.home, self.of_run(run.files).fleet, run, tell=tell)

    def _with_pace(self, rollout: RolloutSettings) -> RolloutSettings:
        reach = self.fleet.reach
        return msgspec.structs.replace(
            rollout,
            max_per_second=reach.max_per_second,
            concurrency=reach.concurrency,
            timeout_s=reach.timeout_s,
            shards_at_once=self.fleet.shards_at_once,
        )

    def _lock(self, shards: Iterable[Shard], command: str, runs_dir: Path) -> HeldLocks:
        locks = self.locks.take(shards, command=command, runs_dirs=[runs_dir, place_at(self.runs_dir).folder])
        self._plans.callback(release, locks.own)  # should the run never be carried out
        return locks

    async def apply(
        self, plan: RunPlan, *, skip_blocked: bool = False, observers: Iterable[Observer] = ()
    ) -> RunRecord:
        """Carry a plan out.

        Args:
            plan: the plan.
            skip_blocked: whether to carry out the rest of a plan in which some mappings are blocked.
            observers: told what happens.

        Returns:
            The record of the run, with its counts by outcome.

        Raises:
            RefusedError: some mappings are blocked, or another run is at work there.
            RunFolderError: the run folder cannot be written.
            AccessError: the credentials are refused.
        """
        return await self.prepare(plan, skip_blocked=skip_blocked).carry_out(observers)

    def of_run(self, files: RunFiles) -> BulkEsm:
        """The same with the shards of an earlier run that have a plan.

        Args:
            files: the run's.

        Raises:
            RefusedError: it was in another Region than that of the credentials, and no flags named it.
        """
        if files.has_shards:
            return self.among(files.planned(), is_named=True)
        record = files.record()
        if record.region != self.region:
            raise RefusedError(f"{record.run_id} is a run in {record.region}, not in {self.region}")
        (shard,) = self.home_shards
        return self.among([msgspec.structs.replace(shard, account_id=record.account_id)], is_named=False)

    @property
    def home_shards(self) -> tuple[Shard]:
        """The account and Region of the credentials, as a shard."""
        return (Shard(account_id=None, region=self.home.region, profile=self.home.profile),)

    async def plan_tasks(self, task_of: Callable[[Shard], Task], context: PlanContext) -> RunPlan:
        """Plan all shards by tasks of any kind; see `plan_run`.

        Raises:
            BulkEsmError: what kept the only shard from being planned.
        """
        await self.require_home_account()
        plan = await plan_run(self.fleet, task_of, runs_dir=self.runs_dir, context=context)
        self._plans.enter_context(plan)
        raise_if_only(self.fleet, plan.problems)
        return plan

    def looking_only(self) -> Self:
        """The same, for plans that will not be carried out: those of several shards are in a folder of their own.

        Raises:
            RunFolderError: no temporary folder can be made.
        """
        if not self.fleet.is_named:
            return self  # the home shard's plan is in memory
        folder = self._plans.enter_context(temporary_folder("plan"))
        return type(self)(
            self.fleet,
            self.home,
            runs_dir=folder,
            plans=self._plans,
            who=self._who,
            earlier=self._earlier,
            locks=self.locks,
        )

    def _doubts(self, shard: Shard, *runs: RunFiles) -> Doubts:
        # Of runs that began long ago and went on of late, the lock knows.
        others = place_at(self._earlier).by_id(self.locks.earlier_runs(shard))
        now_s = self.fleet.clock.now().timestamp()
        return recent_doubts(self._earlier, shard, now_s=now_s, also=(*runs, *others))

    def _files(self, run: Path | str | RunFiles) -> RunFiles:
        return run if isinstance(run, RunFiles) else find_run(self.runs_dir, str(run))


def _elsewhere(shard: Shard, here: str | None) -> AccessError:
    return AccessError(
        f"that was paused with credentials of {shard.account_id}, and these are of {here}: name the way in, such as by "
        f"--accounts {shard.account_id} --regions {shard.region} --role-name NAME, or resume it with those"
    )
