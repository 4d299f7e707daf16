"""How a run went over time: pure, from what was counted of its results, and its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bulk_esm.model.records import RunRecord
from bulk_esm.report.happenings import Log
from bulk_esm.report.records import Timeline
from bulk_esm.report.tally import Tally
from bulk_esm.report.words import iso_of, seconds_of

_MOST_BENDS: Final = 40  # of the floor in a wave, which has one for each shard


def timeline_of(record: RunRecord, tally: Tally, log: Log, rates: Mapping[str, float], rate: float | None) -> Timeline:
    """Sum up how a run went over time.

    Args:
        record: the run's.
        tally: what its results come to.
        log: what its log tells.
        rates: requests/s by shard, as far as they are known.
        rate: what holds for shards that have no rate of their own; None where it is not known.
    """
    start = seconds_of(record.started_at) or 0.0
    ends = [seconds_of(record.ended_at), *(seconds_of(span.ended_at) for span in log.spans)]
    ends += [seconds_of(one.at) for one in log.happenings[-1:]]
    end = max([start, *tally.accepted, *tally.settled, *(at for at in ends if at is not None)])
    waves = {wave.number: seconds_of(wave.began_at) for wave in tally.waves(began_of(log))}
    began = {number: at for number, at in waves.items() if at is not None}
    return Timeline(
        starts_at=record.started_at,
        ends_at=iso_of(end) or record.started_at,
        accepted=cumulative(tally.accepted, start),
        settled=cumulative(tally.settled, start),
        floor=floor_of(tally.sent, began, rates, start),
        rate=rate,
        spans=tuple(log.spans),
        happenings=log.happenings,
        left_out=log.left_out,
    )


def began_of(log: Log) -> dict[int, str]:
    """When each wave began, as far as the log tells: in the first invocation that got to it."""
    began: dict[int, str] = {}
    for span in log.spans:
        if span.kind == "wave" and span.wave is not None:
            began.setdefault(span.wave, span.began_at)
    return began


def cumulative(moments: Iterable[float], start: float, most: int = 1_000) -> tuple[tuple[float, int], ...]:
    """How many there were by when: a step for each, or of many for so many of them.

    Args:
        moments: when each was, in seconds since the epoch.
        start: what points are counted from, likewise.
        most: how many points.
    """
    ordered = sorted(moments)
    step = max(1, len(ordered) // most)
    points = [(round(at - start, 3), number) for number, at in enumerate(ordered, start=1) if not number % step]
    if ordered and (not points or points[-1][1] != len(ordered)):
        points.append((round(ordered[-1] - start, 3), len(ordered)))
    return tuple(points)


def floor_of(
    sent: Mapping[tuple[int, str], int], began: Mapping[int, float], rates: Mapping[str, float], start: float
) -> tuple[tuple[float, int], ...]:
    """Updates that the rate allows, from the beginning of each wave: a line with a point where it bends.

    No update is sent in less time than one over the rate (F§1), and shards have a quota each.

    Args:
        sent: how many were accepted, by wave and shard.
        began: when each wave began, in seconds since the epoch.
        rates: requests/s by shard.
        start: what points are counted from.
    """
    points: list[tuple[float, int]] = []
    before = 0
    for wave in sorted(began):
        shares = [(count, rates[shard]) for (number, shard), count in sent.items() if number == wave and shard in rates]
        if not shares:
            continue
        takes = sorted({count / rate for count, rate in shares})
        bends = [*takes[: -1 : max(1, len(takes) // _MOST_BENDS)], takes[-1]]
        points.append((round(began[wave] - start, 3), before))
        for took in bends:
            done = sum(min(count, rate * took) for count, rate in shares)
            points.append((round(began[wave] - start + took, 3), before + round(done)))
        before += sum(count for count, _ in shares)
    return tuple(points)
