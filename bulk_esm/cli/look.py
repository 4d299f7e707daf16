"""What a display says of a run: which shards, in which order, in which words. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from bulk_esm.cli.durations import format_duration
from bulk_esm.model.result import TROUBLE, Outcome

_ALIKE: Final = 1.5  # shards whose times left differ by less than this factor are ranked as equally slow
_FOR_THE_FAILING: Final = 2 / 3  # of the rows, where others wait for one too


class ShardState(StrEnum):
    """How far a shard is."""

    DONE = "done"
    AT_WORK = "at work"
    WAITING = "waiting"
    FAILED = "failed"


class ShardLook(msgspec.Struct, frozen=True, kw_only=True):
    """A shard at one moment.

    Attributes:
        account_id: its account.
        region: its Region.
        state: how far it is.
        total: to how many mappings something is to be sent.
        done: how many of these have ended.
        sending: how many are on their way to being accepted.
        settling: how many were accepted and have not settled yet.
        outcomes: results by outcome.
        rate: requests/s that are allowed at present; 0 while nobody works in it.
        is_slowed: whether throttling has lowered that rate.
        left_s: how long what is still to be sent takes, in seconds; 0 while nobody works in it.
        reason: why it failed, or None.
    """

    account_id: str | None
    region: str
    state: ShardState
    total: int = 0
    done: int = 0
    sending: int = 0
    settling: int = 0
    outcomes: Mapping[Outcome, int] = {}
    rate: float = 0.0
    is_slowed: bool = False
    left_s: float = 0.0
    reason: str | None = None

    @property
    def name(self) -> str:
        """The account and the Region."""
        return f"{self.account_id or 'home'} {self.region}"

    @property
    def trouble(self) -> int:
        """How many mappings did not end well."""
        return sum(self.outcomes.get(outcome, 0) for outcome in TROUBLE)

    @property
    def is_failing(self) -> bool:
        """Whether somebody should look at it."""
        return self.state is ShardState.FAILED or self.trouble > 0


class RunLook(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet at one moment.

    Attributes:
        shards: its shards, in the fleet's order.
        rate: requests/s over the last moments, of all shards together.
        throttles: throttling answers so far.
        elapsed_s: since the run started, in seconds.
        eta_s: the time that is left for sending, in seconds; 0 if all was sent.
    """

    shards: Sequence[ShardLook]
    rate: float = 0.0
    throttles: int = 0
    elapsed_s: float = 0.0
    eta_s: float = 0.0

    @property
    def total(self) -> int:
        """To how many mappings something is to be sent."""
        return sum(shard.total for shard in self.shards)

    @property
    def done(self) -> int:
        """How many of these have ended."""
        return sum(shard.done for shard in self.shards)

    @property
    def settling(self) -> int:
        """How many were accepted, and have not settled yet."""
        return sum(shard.settling for shard in self.shards)

    @property
    def is_in_trouble(self) -> bool:
        """Whether a shard failed or a mapping did not end well."""
        return any(shard.is_failing for shard in self.shards)


def time_left(shards: Iterable[ShardLook], *, rate: float, spent: float) -> float:
    """The time that sending takes yet: that of the slowest shard, or of all together where not all work at once.

    Returns:
        Seconds; 0 if all was sent.
    """
    found = list(shards)
    slowest_s = max((shard.left_s for shard in found), default=0.0)
    to_send = sum(max(0, shard.total - shard.done - shard.settling) for shard in found)
    return max(slowest_s, to_send * spent / rate if rate else 0.0)


def outcomes_text(look: RunLook) -> str:
    """Counts by outcome and what is in flight over all shards, in one line."""
    counts: Counter[Outcome] = Counter()
    for shard in look.shards:
        counts.update(shard.outcomes)
    shown = [f"{counts[outcome]:,} {outcome}" for outcome in Outcome if counts[outcome]]
    sending = sum(shard.sending for shard in look.shards)
    return ", ".join([*shown, f"{sending:,} sending", f"{look.settling:,} settling"])


def stopping_text(look: RunLook, left_s: float) -> str:
    """What a run that was stopped still waits for, and how long at most."""
    sending = sum(shard.sending for shard in look.shards)
    on_its_way = f"{sending:,} sending, " if sending else ""
    return f"stopping: {on_its_way}{look.settling:,} settling, at most {format_duration(max(0.0, left_s))}"


def states_text(shards: Iterable[ShardLook]) -> str:
    """How many shards are how far, such as `41 done, 12 at work, 4 waiting, 3 failed`."""
    counts = Counter(shard.state for shard in shards)
    return ", ".join(f"{counts[state]:,} {state}" for state in ShardState if counts[state])


def pace_text(look: RunLook) -> str:
    """Rate, throttles, elapsed and time left, in one line."""
    left = f"about {format_duration(look.eta_s)} left" if look.eta_s else "waiting for the last to settle"
    return (
        f"{look.rate:,.1f} requests/s, {look.throttles:,} throttles, {format_duration(look.elapsed_s)} elapsed, {left}"
    )


def home_pace_text(look: RunLook) -> str:
    """Rate against limit, throttles, elapsed and time left of the home shard alone, in one line."""
    (shard,) = look.shards
    limit = f"{shard.rate:.1f} (slowed down)" if shard.is_slowed else f"{shard.rate:g}"
    of_limit = f"{look.rate:.1f} of {limit}" if shard.rate else f"{look.rate:.1f}"
    left = f"about {format_duration(look.eta_s)} left" if look.eta_s else "waiting for the last to settle"
    return f"{of_limit} requests/s, {look.throttles:,} throttles, {format_duration(look.elapsed_s)} elapsed, {left}"


def ranked(shards: Sequence[ShardLook], rows: int) -> list[ShardLook]:
    """Choose the shards that are shown: all in their order if they fit; else the failing, then the slowest.

    Returns:
        At most so many. Shards that are alike keep their places from one look to the next.
    """
    if len(shards) <= rows:
        return list(shards)
    failing = sorted((shard for shard in shards if shard.is_failing), key=_how_bad)
    slowest = sorted(
        (shard for shard in shards if shard.state is ShardState.AT_WORK and not shard.is_failing), key=_how_slow
    )
    for_failing = max(rows - len(slowest), math.ceil(rows * _FOR_THE_FAILING))
    shown = failing[:for_failing]
    return [*shown, *slowest[: max(0, rows - len(shown))]]


def _how_bad(shard: ShardLook) -> tuple[bool, bool, int, str]:
    # What could not even be planned was told before anything was sent: what failed since then is news.
    is_news = shard.total > 0
    return not is_news, shard.state is not ShardState.FAILED, -shard.trouble, shard.name


def _how_slow(shard: ShardLook) -> tuple[int, str]:
    return -math.floor(math.log(max(1.0, shard.left_s), _ALIKE)), shard.name


def table_lines(shards: Sequence[ShardLook], rows: int) -> list[tuple[str, bool]]:
    """The table of shards, with a heading, and a last line that sums up those for which there is no room.

    Returns:
        The lines, and of each whether it tells of trouble. The reason why a shard failed comes last in its line, which
        may be cut off where the screen ends.
    """
    shown = ranked(shards, rows)
    if not shown:
        return []
    # From all shards, not from those that are shown, so that no column moves when others are.
    name = max(len(shard.name) for shard in shards)
    done = max(len(_done(shard.total, shard)) for shard in shards)
    lines = [(f"{'shard':{name}}  {'done':>{done}}{_columns('settling', 'requests/s')}", False)]
    for shard in shown:
        text = (
            _failed(shard) if shard.state is ShardState.FAILED else f"{_done(shard.done, shard):>{done}}{_ends(shard)}"
        )
        lines.append((f"{shard.name:{name}}  {text}".rstrip(), shard.is_failing))
    names = {shard.name for shard in shown}
    others = [shard for shard in shards if shard.name not in names]
    if others:
        lines.append((f"and {len(others):,} more: {states_text(others)}", False))
    return lines


def _done(done: int, shard: ShardLook) -> str:
    return f"{done:,}/{shard.total:,}"


def _columns(settling: str, rate: str, rest: str = "") -> str:
    return f"  {settling:>8}  {rate:>10}  {rest}"


def _failed(shard: ShardLook) -> str:
    reason = " ".join((shard.reason or "failed").split())
    return f"{_done(shard.done, shard)}: {reason}" if shard.total else reason


def _ends(shard: ShardLook) -> str:
    bad = [outcome for outcome in Outcome if outcome in TROUBLE and shard.outcomes.get(outcome)]
    trouble = f"{shard.trouble:,} {bad[0] if len(bad) == 1 else 'not well'}" if bad else ""
    if shard.state is not ShardState.AT_WORK:
        return _columns("", shard.state, trouble)
    rate = f"{shard.rate:.1f} slowed" if shard.is_slowed else f"{shard.rate:g}"
    return _columns(f"{shard.settling:,}", rate, trouble)
