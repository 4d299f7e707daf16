"""The mappings of one account and Region, as programs and the command line use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

import msgspec

from bulk_esm.aws.alarms import AlarmState
from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection
from bulk_esm.clock import Clock
from bulk_esm.engine.continuing import Continuation, look_again
from bulk_esm.engine.drifting import read_drift
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.inventory import Inventory, read_inventory
from bulk_esm.engine.planning import make_plan, renew_plan
from bulk_esm.engine.settings import EngineSettings
from bulk_esm.engine.single_run import Run
from bulk_esm.engine.undoing import make_rollback_plan
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.continuing import left_of
from bulk_esm.model.drift import Drift
from bulk_esm.model.plan import Action, Plan
from bulk_esm.model.records import Intent, RunRecord
from bulk_esm.model.result import Result
from bulk_esm.model.selection import Selection
from bulk_esm.store.folder import RunFolder

DEFAULT_RUNS_DIR = Path("bulk-esm-runs")


class BulkEsm:
    """The mappings of one account and Region. Made by `connect`.

    Attributes:
        control_plane: the door to Lambda, with its pacer and its count of requests.
    """

    def __init__(self, connection: Connection, *, settings: EngineSettings, clock: Clock) -> None:
        self._connection = connection
        self._settings = settings
        self._clock = clock

    @property
    def control_plane(self) -> ControlPlane:
        """The door to Lambda, with its pacer and its count of requests."""
        return self._connection.control_plane

    @property
    def region(self) -> str:
        """The Region."""
        return self._connection.region

    def require_account(self, account_id: str | None) -> None:
        """Refuse to go on in another account than that of an earlier plan or run.

        Args:
            account_id: the account that was meant; None if it is not known.

        Raises:
            RefusedError: the mappings that were read are of another account.
        """
        here = self.control_plane.census.account_id
        if account_id and here and account_id != here:
            raise RefusedError(f"that was planned in account {account_id}, and these credentials are of {here}")

    async def list(self, selection: Selection) -> Inventory:
        """Read the selected mappings; an empty selection reads all of them.

        Args:
            selection: which mappings.

        Raises:
            UsageError: the selection makes no sense.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        selection.check()
        return await read_inventory(self._connection, selection)

    async def plan(
        self,
        selection: Selection,
        change: Change | Mapping[str, Change],
        *,
        allow_irreversible: bool = False,
        waiting: Callable[[int], None] = lambda _: None,
    ) -> Plan:
        """Decide what would be sent to each selected mapping; changes nothing.

        Args:
            selection: which mappings.
            change: what is asked of all of them; or of each by UUID, which selects too.
            allow_irreversible: whether what can never be taken back may be changed.
            waiting: called with the number of mappings in transition, before they are waited for.

        Raises:
            UsageError: nothing is selected, or the change could be taken by no mapping.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        selection.check()
        if selection.is_empty:
            raise UsageError("nothing is selected: narrow it down, or say --all for every mapping")
        if isinstance(change, Change):
            change.check()
        else:
            for one in change.values():
                one.check()
            uuids = selection.uuids & change.keys() if selection.uuids else frozenset(change)
            selection = msgspec.structs.replace(selection, uuids=uuids)
        return await make_plan(
            self._connection,
            selection,
            change,
            allow_irreversible=allow_irreversible,
            timeout_s=self._settings.timeout_s,
            clock=self._clock,
            waiting=waiting,
        )

    async def renew(self, saved: Plan) -> tuple[Plan, dict[str, Ending]]:
        """Look at what a saved plan finds today; see `renew_plan`.

        Raises:
            RefusedError: the plan is of another account.
        """
        renewed = await renew_plan(self._connection, saved)
        self.require_account(saved.account_id)
        return renewed

    def prepare(
        self,
        plan: Plan,
        *,
        runs_dir: Path | str = DEFAULT_RUNS_DIR,
        intent: Intent | None = None,
        skip_blocked: bool = False,
        known: Mapping[str, Ending] | None = None,
        deadline: datetime | None = None,
    ) -> Run:
        """Write a plan down as a run that is ready to start; nothing is sent yet.

        Args:
            plan: the plan.
            runs_dir: where runs are kept.
            intent: what it is for, and how it is to go: waves, budget and gates.
            skip_blocked: whether to carry out the rest of a plan in which some mappings are blocked.
            known: how items end to which nothing is sent, by UUID, from `renew` or `plan_rollback`.
            deadline: when all should have ended; what could not settle by then is not sent.

        Raises:
            RefusedError: some mappings are blocked.
            RunFolderError: the folder cannot be written.
        """
        blocked = plan.count(Action.BLOCKED)
        if blocked and not skip_blocked:
            raise RefusedError(f"{blocked} mappings are blocked; nothing was sent. Narrow the selection or skip them")
        return Run.prepare(
            self.control_plane,
            plan,
            runs_dir=Path(runs_dir),
            intent=intent or Intent(),
            known=known,
            settings=self._until(deadline),
            clock=self._clock,
        )

    async def reopen(
        self,
        folder: RunFolder,
        *,
        deadline: datetime | None = None,
        waiting: Callable[[int], None] = lambda _: None,
    ) -> Continuation:
        """Look at what an interrupted run has left; changes nothing, on disk or in Lambda.

        Args:
            folder: its folder.
            deadline: when all should have ended now.
            waiting: called with the number of mappings in transition, before they are waited for.

        Raises:
            RefusedError: the run is of another account.
            RunFolderError: its files cannot be read.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        plan = folder.plan()
        left = left_of(plan.items, folder.results())
        known = await look_again(
            self._connection, left.updates, timeout_s=self._settings.timeout_s, clock=self._clock, waiting=waiting
        )
        self.require_account(plan.account_id)
        return Continuation(
            self.control_plane,
            folder,
            plan,
            left=left,
            known=known,
            settings=self._until(deadline),
            clock=self._clock,
        )

    async def plan_rollback(
        self, folder: RunFolder, *, force: bool = False, waiting: Callable[[int], None] = lambda _: None
    ) -> tuple[Plan, dict[str, Ending]]:
        """Decide what would put back what a run changed; changes nothing.

        Args:
            folder: the run's folder.
            force: whether to put it back even where someone changed the mapping since.
            waiting: called with the number of mappings in transition, before they are waited for.

        Returns:
            A plan like any other, and a `conflict` for each mapping that someone changed since, by UUID.

        Raises:
            RefusedError: the run is of another account.
            RunFolderError: its files cannot be read.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        plan = folder.plan()
        made = await make_rollback_plan(
            self._connection,
            plan.items,
            folder.results(),
            force=force,
            timeout_s=self._settings.timeout_s,
            clock=self._clock,
            waiting=waiting,
        )
        self.require_account(plan.account_id)
        return made

    async def verify(self, folder: RunFolder) -> tuple[Drift, ...]:
        """Tell which mappings no longer have what a run set; changes nothing.

        Args:
            folder: the run's folder.

        Raises:
            RefusedError: the run is of another account.
            RunFolderError: its files cannot be read.
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        plan = folder.plan()
        found = await read_drift(self._connection, plan.items, folder.results())
        self.require_account(plan.account_id)
        return tuple(found)

    async def alarms(self, names: tuple[str, ...]) -> Sequence[AlarmState]:
        """The states of CloudWatch alarms; see `read_alarms`."""
        return await self._connection.alarms(names)

    async def account_here(self) -> str | None:
        """The account as its mappings name it, for one request at most; None if it has none."""
        if self.control_plane.census.account_id is None:
            async with aclosing(self.control_plane.list()) as pages:
                async for _ in pages:
                    break
        return self.control_plane.census.account_id

    async def account_id(self) -> str:
        """The account of the credentials, by STS."""
        return await self._connection.account_id()

    def _until(self, deadline: datetime | None) -> EngineSettings:
        if deadline is None:
            return self._settings
        left_s = (deadline - self._clock.now()).total_seconds()
        return msgspec.structs.replace(self._settings, deadline=self._clock.monotonic() + left_s)

    async def apply(
        self,
        plan: Plan,
        *,
        runs_dir: Path | str = DEFAULT_RUNS_DIR,
        skip_blocked: bool = False,
        on_result: Callable[[Result], None] = lambda _: None,
    ) -> RunRecord:
        """Carry a plan out.

        Args:
            plan: the plan.
            runs_dir: where runs are kept.
            skip_blocked: whether to carry out the rest of a plan in which some mappings are blocked.
            on_result: called with each result, once it is on disk.

        Returns:
            The record of the run, with its counts by outcome.

        Raises:
            RefusedError: some mappings are blocked.
            RunFolderError: the run folder cannot be written.
            AccessError: the credentials are refused.
        """
        return await self.prepare(plan, runs_dir=runs_dir, skip_blocked=skip_blocked).carry_out(on_result)
