"""What a worker is asked to do in one shard, and what it answers: plain records, that travel as JSON.

A worker is this process, another one, or another machine. Credentials are no part of any of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bulk_esm.engine.endings import Ending
from bulk_esm.model.change import Change
from bulk_esm.model.checked import AboveZero, AtLeastOne, Checked
from bulk_esm.model.denials import Denials
from bulk_esm.model.doubts import NO_DOUBTS, Doubts
from bulk_esm.model.drift import Drift
from bulk_esm.model.plan import Plan, PlanItem
from bulk_esm.model.result import Result
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.stopping import Stop


class ListMappings(msgspec.Struct, frozen=True, tag="list"):
    """Read the selected mappings."""

    selection: Selection


class PlanChange(msgspec.Struct, frozen=True, kw_only=True, tag="plan"):
    """Decide what a change would send.

    Attributes:
        selection: which mappings.
        change: what is asked of all of them, or of each by UUID.
        allow_irreversible: whether what can never be taken back may be changed.
        skips_losses_within_s: leaves out what would lose data in a pause of so many seconds; 0 leaves nothing out.
        doubts: about which mappings List is not believed.
        earlier: what an earlier run planned for these mappings; those that are gone are then conflicts.
    """

    selection: Selection
    change: Change | None = None
    changes: dict[str, Change] = {}
    allow_irreversible: bool = False
    skips_losses_within_s: float = 0.0
    doubts: Doubts = NO_DOUBTS
    earlier: tuple[PlanItem, ...] = ()

    @classmethod
    def of(
        cls, selection: Selection, change: Change | Mapping[str, Change], *, allow_irreversible: bool = False
    ) -> PlanChange:
        """Make it from a change of all, or of each by UUID, which selects too.

        Args:
            selection: which mappings.
            change: what is asked of them.
            allow_irreversible: whether what can never be taken back may be changed.
        """
        if isinstance(change, Change):
            return cls(selection=selection, change=change, allow_irreversible=allow_irreversible)
        uuids = selection.uuids & change.keys() if selection.uuids else frozenset(change)
        narrowed = msgspec.structs.replace(selection, uuids=uuids)
        return cls(selection=narrowed, changes=dict(change), allow_irreversible=allow_irreversible)


class RenewPlan(msgspec.Struct, frozen=True, tag="renew"):
    """Look at what a saved plan finds today.

    Attributes:
        plan: the plan.
        doubts: about which mappings List is not believed.
        only_its_parameters: whether only changes to what the plan sets count as someone's.
        own: what runs of ours set since, by UUID and parameter.
    """

    plan: Plan
    doubts: Doubts = NO_DOUBTS
    only_its_parameters: bool = False
    own: dict[str, dict[str, Any]] = {}


class PlanRollback(msgspec.Struct, frozen=True, kw_only=True, tag="rollback"):
    """Decide what would put back what a run changed in this shard.

    Attributes:
        items: that run's plan.
        results: that run's results.
        force: whether to put it back even where someone changed the mapping since.
        begun: to which mappings something may have been sent; None where that is not known, and so may be to all.
        own: what later runs of ours set, by UUID and parameter.
    """

    items: tuple[PlanItem, ...]
    results: tuple[Result, ...]
    force: bool = False
    begun: frozenset[str] | None = None
    own: dict[str, dict[str, Any]] = {}


class FindDrift(msgspec.Struct, frozen=True, kw_only=True, tag="verify"):
    """Tell which mappings no longer have what a run set in this shard."""

    items: tuple[PlanItem, ...]
    results: tuple[Result, ...]


class LookAgain(msgspec.Struct, frozen=True, tag="look again"):
    """Tell how those items end to which nothing more need be sent.

    Attributes:
        items: what a run that did not end well has left to update in this shard.
        sent: to which of them it may have sent something.
        doubts: about which others List is not believed.
    """

    items: tuple[PlanItem, ...]
    sent: frozenset[str]
    doubts: Doubts = NO_DOUBTS


class CarryOut(msgspec.Struct, frozen=True, kw_only=True, tag="carry out"):
    """Carry out some items of a plan that is on the driver's disk.

    Attributes:
        run_id: the run.
        items: the items, in their order.
        wave: the number of the wave, from 1.
        as_given: whether the order is kept; else those that settle slowest go first.
        known: how items end to which nothing is sent, by UUID.
        in_doubt: whether an earlier part of this run may have sent some of it.
        looks_first: whether nobody has looked at that since.
        denials: what the run's updates met in the shard before.
        age_s: how long ago the mappings were read, in seconds; None for too long, whatever that is.
        most_failures: how many more mappings may fail in the whole fleet; None for any number.
        deadline: ISO 8601 in UTC, or None.
        ramp_s: the time over which the updates are spread, in seconds.
        seen: how many mappings there are in the shard, as its planning saw: what a List of them costs.
    """

    run_id: str
    items: tuple[PlanItem, ...]
    wave: int = 1
    as_given: bool = False
    known: dict[str, Ending] = {}
    in_doubt: bool = False
    looks_first: bool = False
    denials: Denials | None = None
    age_s: float | None = 0.0
    most_failures: int | None = None
    deadline: str | None = None
    ramp_s: float = 0.0
    seen: int = 0


Task = ListMappings | PlanChange | RenewPlan | PlanRollback | FindDrift | LookAgain | CarryOut


class Reach(Checked, frozen=True, kw_only=True):
    """How all shards are reached.

    Attributes:
        endpoint_url: another endpoint than AWS's own, for every service that is called.
        max_per_second: requests/s in each shard that has no rate of its own.
        concurrency: requests in flight at once in each.
        timeout_s: how long a mapping may take to settle, in seconds.
    """

    endpoint_url: str | None = None
    max_per_second: AboveZero = 12.0
    concurrency: AtLeastOne = 50
    timeout_s: AboveZero = 900.0


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A task in a shard."""

    shard: Shard
    reach: Reach
    task: Task


class ShardEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a task.

    Attributes:
        shard: the shard's name.
        problem: why it came to nothing, or to less than all; None if all went well.
        account_id: the account, as far as it was seen.
        requests: requests that it took, by kind, and how many of them were throttled or failed.
        seen: how many mappings were looked through.
        mappings: the selected mappings, of `ListMappings`.
        unknown: UUIDs that were asked for and that no mapping here has.
        unmatched: flags and values of the selection that match no mapping here; None of what selects nothing.
        plan: of a task that plans.
        known: how items end to which nothing is sent, by UUID: of that plan, or of `LookAgain`.
        drifts: of `FindDrift`.
        stop: why not all of `CarryOut` was sent, or None.
        cut_short: how many accepted updates were not waited for to the end.
        unplanned: mappings that the selection means and the plan lacks, function ARNs by UUID, as far as was seen.
        cannot_get: whether a Get that was tried before anything is sent was not permitted.
    """

    shard: str
    problem: Problem | None = None
    account_id: str | None = None
    requests: dict[str, int] = {}
    seen: int = 0
    mappings: tuple[dict[str, object], ...] = ()
    unknown: tuple[str, ...] = ()
    unmatched: tuple[tuple[str, str], ...] | None = None
    plan: Plan | None = None
    known: dict[str, Ending] = {}
    drifts: tuple[Drift, ...] = ()
    stop: Stop | None = None
    cut_short: int = 0
    unplanned: dict[str, str | None] = {}
    cannot_get: bool = False


class Resulted(msgspec.Struct, frozen=True, tag="result"):
    """A mapping has ended: told at once, not when its shard ends."""

    shard: str
    result: Result


class ShardStatus(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """How a shard stands, told about once a second while it is worked in.

    Attributes:
        shard: the shard's name.
        sending: updates on their way to being accepted.
        settling: accepted and not yet settled.
        rate: requests/s at present.
        waiting: mappings in transition that a plan waits for.
        requests: requests of this task so far, by kind.
    """

    shard: str
    sending: int = 0
    settling: int = 0
    rate: float = 0.0
    waiting: int = 0
    requests: dict[str, int] = {}


Event = Resulted | ShardStatus
