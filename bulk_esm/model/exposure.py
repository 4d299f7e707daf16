"""Who was changed since when, and who was not yet: functions, queues or mappings, by what is watched. Pure.

Counts are kept, and no mappings: a run may have 100,000.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import msgspec

from bulk_esm.model.mapping import FunctionReference
from bulk_esm.model.measures import Measure, Place
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result

MINUTE_S = 60


class Standing(msgspec.Struct, gc=False):
    """How one of them stands.

    Attributes:
        place: where it is.
        waves: the wave of each of its mappings to which something is sent.
        others: how many mappings of it the plan leaves as they are.
        ended: how many of those to which something was sent have ended.
        updated: how many of these as asked.
        since: when the last of them ended, in seconds since the epoch.
        is_sorted: whether `waves` is.
    """

    place: Place
    waves: list[int]
    others: int = 0
    ended: int = 0
    updated: int = 0
    since: float = 0.0
    is_sorted: bool = False

    def begun(self, wave: int) -> int:
        """How many of its mappings are in waves up to one."""
        if not self.is_sorted:
            self.waves.sort()
            self.is_sorted = True
        return max(bisect_right(self.waves, wave), self.ended)


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Who was changed, and who was not, when a watch looks.

    Attributes:
        changed: those whose mappings in waves so far all have ended, with the first whole minute after.
        control: those of which nothing was sent yet.
        left_out: how many are on neither side, by why.
    """

    changed: dict[str, int]
    control: list[str]
    left_out: dict[str, int]

    def changed_by(self, minute: int) -> dict[str, int]:
        """Those that were changed by a minute."""
        return {key: since for key, since in self.changed.items() if since <= minute}

    @property
    def newest(self) -> int | None:
        """The first whole minute after the last of all changes; None if nothing was changed."""
        return max(self.changed.values(), default=None)


class Exposure:
    """Who is changed by a run, for one measure.

    Attributes:
        measure: what it is for.
        standings: by function, queue or mapping.
        moved: how many mappings get another function: what they were counted under says nothing of the change.
        without: how many mappings publish nothing of it.
    """

    def __init__(self, measure: Measure) -> None:
        """Begin with nobody.

        Args:
            measure: what it is for.
        """
        self.measure = measure
        self.standings: dict[str, Standing] = {}
        self.moved = 0
        self.without = 0
        self._others: Counter[str] = Counter()
        self._places: dict[Place, Place] = {}  # each once, and not for each of thousands

    def add(self, item: PlanItem, *, wave: int | None) -> None:
        """Count a line of the plan.

        Args:
            item: the line.
            wave: in which something is sent to it, from 1; None where nothing is.
        """
        key = self.measure.key_of(item)
        if item.action is not Action.UPDATE or wave is None:
            if key is not None:
                self._others[key] += 1
            return
        if "FunctionName" in item.request:
            self.moved += 1
        elif key is None:
            self.without += 1
        else:
            function = FunctionReference.parse(item.function_arn or "")
            place = (function.account_id, function.region)
            place = self._places.setdefault(place, place)
            standing = self.standings.setdefault(key, Standing(place=place, waves=[]))
            standing.waves.append(wave)
            standing.is_sorted = False

    def close(self) -> None:
        """All lines were counted: forget those of whom none is changed."""
        for key, standing in self.standings.items():
            standing.others = self._others[key]
        self._others.clear()

    def end(self, result: Result) -> None:
        """Count a result."""
        if result.outcome in _NOTHING_SENT:
            return
        standing = self.standings.get(self._key_of(result) or "")
        if standing is None or standing.ended >= len(standing.waves):
            return
        standing.ended += 1
        standing.updated += result.outcome is Outcome.UPDATED
        if result.ended_at is not None:
            standing.since = max(standing.since, datetime.fromisoformat(result.ended_at).timestamp())

    def _key_of(self, result: Result) -> str | None:
        match self.measure.of:
            case "function":
                return result.function_arn
            case "queue":
                return result.event_source_arn
            case "mapping":
                return result.uuid
            case "account":
                return (result.function_arn or "").partition(":function:")[0]

    def sides(self, wave: int) -> Sides:
        """Who was changed, and who was not, in and after a wave.

        Args:
            wave: the last that has begun, from 1; 0 before the first.
        """
        changed: dict[str, int] = {}
        control: list[str] = []
        left_out: Counter[str] = Counter()
        for key, standing in self.standings.items():
            begun = standing.begun(wave)
            if not begun:
                control.append(key)
            elif standing.ended < begun:
                left_out["being changed"] += 1
            elif not standing.updated:
                left_out["not updated as asked"] += 1
            else:
                changed[key] = int(standing.since // MINUTE_S) + 1
        return Sides(changed=changed, control=control, left_out=dict(left_out))

    @property
    def shared(self) -> int:
        """How many have mappings that the plan leaves as they are, too."""
        return sum(standing.others > 0 for standing in self.standings.values())

    @property
    def in_several_waves(self) -> int:
        """How many have mappings in several waves."""
        return sum(len(set(standing.waves)) > 1 for standing in self.standings.values())


# What has not been sent, or not been seen to end: a run that is continued brings another result of it.
_NOTHING_SENT = frozenset({Outcome.NOT_STARTED, Outcome.UNCHANGED, Outcome.BLOCKED})


def drawn(keys: Iterable[str], most: int) -> list[str]:
    """Some of many, always the same ones, whatever their names.

    Args:
        keys: all of them.
        most: how many.
    """
    return sorted(keys, key=lambda key: hashlib.blake2b(key.encode(), digest_size=8).digest())[:most]
