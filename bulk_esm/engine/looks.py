"""Which look to take next: pure, from what is waited for to the looks that are worth their requests.

A look is a Get, which shows one mapping for one request; a List narrowed to a function or a source, which shows all of
its mappings, a hundred for a request; or a sweep, a List of everything. What a look is worth is how many mappings it is
likely to find settled for each request that it costs.

1. Each mapping is waited for by the look that could show the most of those waited for at the cost of a request. With
   hundreds on their way that is the sweep; for the last few it is a Get each.
2. A look is due when it is likely to find half of those that wait for it, or 10 for each request. Sooner it would find
   so few that it had to be taken again and again. The last twenty, once looked at, are asked about again the sooner the
   fewer they are, with the root of their number: the run ends with one of n, so that of each look's news only 1 / n is
   waited for, and where one cost rises with the time between looks and another falls with it, the best time is the
   root of their ratio. A Get is due at 15 in 100 and no sooner, as one that is stuck would be asked about all the time.
3. While updates still wait to be sent, every look delays one, and nobody waits for its news: then a look must find 33
   for each request, so that looks stay within 3 % of the rate.
4. What was seen at rest and not as asked is looked at with Get, at once: List may lag, and is no witness.

"Likely" comes from the settle times that the run has learned (`estimates`), and from how far List was seen to lag:
what settled less than that ago, List cannot show yet. So nothing here is in seconds, and a control plane at 20 times
speed is treated just as the real one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final, Literal

import msgspec

from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.model.census import PAGE_SIZE, Census
from bulk_esm.model.transitions import Transition

DUE_SHARE: Final = 0.5
LEAST_DUE_SHARE: Final = 0.15
LAST: Final = 20
RICH_FINDS_PER_REQUEST: Final = 10.0
FINDS_PER_REQUEST_BESIDE_UPDATES: Final = 33.0


class Pending(msgspec.Struct, kw_only=True, gc=False):
    """One mapping that is waited for.

    Attributes:
        uuid: the mapping.
        transition: what it goes through.
        function_arn: its function.
        event_source_arn: its source, or None.
        accepted_at: when the update was accepted, on the clock, in seconds.
        unsettled_s: the age at which it was last known not to have settled, in seconds.
        get_only: whether List cannot tell, as with encrypted filters, or a stamp that an old picture has too.
        may_get: whether Get is permitted; List alone must do where it is not.
        get_at: from when on a Get must say, whatever it costs (rule 4); infinite if there is no doubt.
    """

    uuid: str
    transition: Transition
    function_arn: str | None
    event_source_arn: str | None
    accepted_at: float
    unsettled_s: float = 0.0
    get_only: bool = False
    may_get: bool = True
    get_at: float = math.inf


Kind = Literal["get", "function", "source", "sweep"]


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A look to take.

    Attributes:
        kind: what to call: Get, List narrowed to a function or a source, or List of everything.
        key: the UUID or the ARN; empty for a sweep.
        requests: what it costs.
        finds: how many mappings it is likely to find settled.
        covers: the UUIDs of those waited for that it can show.
        due_share: which share of those it must be likely to find to be due.
    """

    kind: Kind
    key: str
    requests: int
    finds: float
    covers: frozenset[str]
    due_share: float = DUE_SHARE

    @property
    def worth(self) -> float:
        """How many it is likely to find for each request."""
        return self.finds / self.requests

    def is_due(self, *, updates_wait: bool) -> bool:
        """Whether it is worth its requests now (rules 2 and 3)."""
        if updates_wait:
            return self.worth >= FINDS_PER_REQUEST_BESIDE_UPDATES
        return self.finds >= self.due_share * len(self.covers) or self.worth >= RICH_FINDS_PER_REQUEST


def choose(
    pending: Iterable[Pending],
    census: Census,
    times: SettleTimes,
    *,
    now: float,
    list_lag_s: float,
    updates_wait: bool,
) -> list[Look]:
    """Choose the looks to take now.

    Args:
        pending: the mappings that are waited for.
        census: how many mappings a List would have to show.
        times: how long mappings take to settle.
        now: the time on the clock, in seconds.
        list_lag_s: how far List was seen to lag behind, in seconds.
        updates_wait: whether updates still wait to be sent.

    Returns:
        The looks that are due, the most worthwhile first, each covering something that those before it do not; none
        if waiting is better.
    """
    waiting = list(pending)
    asked = [one for one in waiting if one.get_at <= now]
    in_peace = [one for one in waiting if one.get_at == math.inf]
    doubts = [Look(kind="get", key=one.uuid, requests=1, finds=1.0, covers=frozenset({one.uuid})) for one in asked]
    if updates_wait and not _could_pay_beside_updates(in_peace, census):
        return doubts
    due = [
        look
        for look in _looks(in_peace, census, times, now=now, list_lag_s=list_lag_s)
        if look.is_due(updates_wait=updates_wait)
    ]
    chosen: list[Look] = []
    covered: set[str] = set()
    for look in sorted(due, key=lambda look: (-look.worth, look.kind, look.key)):
        if not look.covers <= covered:
            chosen.append(look)
            covered |= look.covers
    return doubts + chosen


def _looks(
    waiting: list[Pending], census: Census, times: SettleTimes, *, now: float, list_lag_s: float
) -> Iterator[Look]:
    """The looks by which mappings are waited for (rule 1), with what each is likely to find."""
    listable = [one for one in waiting if not one.get_only]
    sweep = _List("sweep", "", listable, math.ceil(census.total / PAGE_SIZE))
    narrowed = {
        **_narrowed("function", listable, attrgetter("function_arn"), census.by_function),
        **_narrowed("source", listable, attrgetter("event_source_arn"), census.by_source),
    }
    due_share_again = max(LEAST_DUE_SHARE, DUE_SHARE * math.sqrt(min(1.0, len(waiting) / LAST)))
    used: dict[tuple[Kind, str], _List] = {}
    for one in waiting:
        best = sweep
        if narrowed:
            by_function = narrowed.get(("function", one.function_arn), sweep)
            by_source = narrowed.get(("source", one.event_source_arn), sweep)
            best = max(by_function, by_source, sweep, key=attrgetter("shows"))
        if (best.shows > 1 and not one.get_only) or not one.may_get:
            used[best.kind, best.key] = best
        else:
            # A Get shows one for one request, and is the better witness.
            finds = times.probability(one.transition, unsettled_s=one.unsettled_s, age_s=now - one.accepted_at)
            due_share = due_share_again if one.unsettled_s else DUE_SHARE
            covers = frozenset({one.uuid})
            yield Look(kind="get", key=one.uuid, requests=1, finds=finds, covers=covers, due_share=due_share)
    seen_until = now - list_lag_s
    for best in used.values():
        finds = math.fsum(
            times.probability(one.transition, unsettled_s=one.unsettled_s, age_s=seen_until - one.accepted_at)
            for one in best.members
        )
        covers = frozenset(one.uuid for one in best.members)
        yield Look(kind=best.kind, key=best.key, requests=max(1, best.pages), finds=finds, covers=covers)


def _could_pay_beside_updates(waiting: list[Pending], census: Census) -> bool:
    """Whether any look could find enough while updates wait, even if everything had settled: told at no cost."""
    pages = math.ceil(census.total / PAGE_SIZE) or math.inf
    most = max(len(waiting) / pages, min(len(waiting), PAGE_SIZE))
    return most >= FINDS_PER_REQUEST_BESIDE_UPDATES


class _List:
    """A List that could be taken: whom it would show, and for how many pages (0 where it cannot be taken)."""

    def __init__(self, kind: Kind, key: str, members: list[Pending], pages: int) -> None:
        self.kind = kind
        self.key = key
        self.members = members
        self.pages = pages
        self.shows = len(members) / pages if pages else 0.0


def _narrowed(
    kind: Kind, listable: list[Pending], arn_of: Callable[[Pending], str | None], counted: Mapping[str, int]
) -> dict[tuple[Kind, str | None], _List]:
    """The narrowed Lists that would show more than one of those waited for."""
    groups: dict[str | None, list[Pending]] = defaultdict(list)
    for one in listable:
        groups[arn_of(one)].append(one)
    return {
        (kind, arn): _List(kind, arn, members, math.ceil(max(counted.get(arn, 0), len(members)) / PAGE_SIZE))
        for arn, members in groups.items()
        if arn and (len(members) > 1 or not members[0].may_get)
    }
