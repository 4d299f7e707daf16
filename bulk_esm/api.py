"""The public API: what the command line does, for programs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.session import Connection, ConnectionSettings
from bulk_esm.aws.session import connect as open_connection
from bulk_esm.clock import Clock
from bulk_esm.engine.engine import EngineSettings
from bulk_esm.engine.inventory import Inventory, read_inventory
from bulk_esm.engine.planning import make_plan, renew_plan
from bulk_esm.engine.run import Run
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.plan import Action, Plan
from bulk_esm.model.result import Result
from bulk_esm.model.selection import Selection
from bulk_esm.runs.record import RunRecord

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

    async def renew(self, saved: Plan) -> tuple[Plan, frozenset[str]]:
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
        command: str = "apply",
        argv: tuple[str, ...] = (),
        skip_blocked: bool = False,
        changed_since: frozenset[str] = frozenset(),
    ) -> Run:
        """Write a plan down as a run that is ready to start; nothing is sent yet.

        Args:
            plan: the plan.
            runs_dir: where runs are kept.
            command: the command, for the record.
            argv: the command line, for the record.
            skip_blocked: whether to carry out the rest of a plan in which some mappings are blocked.
            changed_since: mappings that someone changed after a saved plan was made, from `renew`.

        Raises:
            RefusedError: some mappings are blocked.
            RunFolderError: the folder cannot be written.
        """
        blocked = plan.count(Action.BLOCKED)
        if blocked and not skip_blocked:
            raise RefusedError(f"{blocked} mappings are blocked; nothing was sent. Narrow the selection or skip them")
        return Run(
            self.control_plane,
            plan,
            runs_dir=Path(runs_dir),
            command=command,
            argv=argv,
            settings=self._settings,
            changed_since=changed_since,
            clock=self._clock,
        )

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


@asynccontextmanager
async def connect(
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    max_per_second: float = 12.0,
    concurrency: int = 50,
    timeout_s: float = 900.0,
    clock: Clock | None = None,
) -> AsyncIterator[BulkEsm]:
    """Open one account and Region, with the credentials that the AWS CLI would use. Nothing is sent yet.

    Args:
        region: the Region; by default what the environment or the profile says.
        profile: a profile of the AWS configuration files.
        endpoint_url: another endpoint than AWS's own.
        max_per_second: requests/s to Lambda's control plane, which gives 15 to an account and Region in all.
        concurrency: requests in flight at once.
        timeout_s: how long a mapping may take to settle, in seconds.
        clock: the time, for tests.

    Raises:
        UsageError: no Region, no such profile, or a setting that is not above 0.
        AccessError: no credentials.
    """
    settings = ConnectionSettings(
        region=region,
        profile=profile,
        endpoint_url=endpoint_url,
        max_per_second=max_per_second,
        concurrency=concurrency,
    )
    async with open_connection(settings, clock=clock) as connection:
        yield BulkEsm(
            connection,
            settings=EngineSettings(concurrency=concurrency, timeout_s=timeout_s),
            clock=clock or Clock(),
        )


def apply(
    selection: Selection,
    change: Change,
    *,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
    max_per_second: float = 12.0,
    runs_dir: Path | str = DEFAULT_RUNS_DIR,
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
            region=region, profile=profile, endpoint_url=endpoint_url, max_per_second=max_per_second
        ) as bulk:
            plan = await bulk.plan(selection, change)
            return await bulk.apply(plan, runs_dir=runs_dir, skip_blocked=skip_blocked)

    return anyio.run(main)
