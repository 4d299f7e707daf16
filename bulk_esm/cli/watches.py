"""What a person reads of `--watch` before a run."""

from __future__ import annotations

from collections.abc import Iterator

from bulk_esm.cli.durations import format_duration
from bulk_esm.gates.metrics import LOOKS_EVERY_S
from bulk_esm.model.exposure import Exposure
from bulk_esm.model.measures import USD_PER_METRIC
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.spending import RUN_ALPHA
from bulk_esm.model.watching import MOST_SIDE, Watch, least_wait_s
from bulk_esm.runs.watched import Watched

_AN_HOUR_S = 3600.0


def watch_lines(watched: Watched, rollout: RolloutSettings) -> Iterator[str]:
    """What is watched, of whom, what that costs, and how long a soak must be for it to tell anything.

    Args:
        watched: what is watched, and who would be changed.
        rollout: how it is to go.
    """
    watches = watched.watches
    if not watches:
        return
    for watch in watches:
        yield from _lines_of(watch, watched.of(watch))
    metrics = sum(_metrics(watch, watched.of(watch)) for watch in watches)
    usd = metrics * USD_PER_METRIC * _AN_HOUR_S / LOOKS_EVERY_S
    yield f"at most {metrics:,} metrics a minute are asked for, for about {usd:.2f} USD an hour; none of Lambda's quota"
    least_s = least_wait_s(watches)
    least = format_duration(least_s)
    yield f"before {least} have passed after its last update nothing can be told of a wave: the next waits for that"
    if rollout.waves and rollout.soak_s < least_s:
        yield f"warning: --soak {format_duration(rollout.soak_s)} is less than these {least}: it soaks so long"
    if not rollout.bake_s:
        wave = "the last wave" if rollout.waves else "what is done"
        yield f"warning: without a bake {wave} is not watched to its end: say --bake {least_s / 60:.0f}m"


def _lines_of(watch: Watch, exposure: Exposure) -> Iterator[str]:
    if watch.measure is None:
        yield f"watched: {watch.text}, at home"
        return
    count = len(exposure.standings)
    of = f"{count:,} {exposure.measure.named(count)}"
    against = ""
    if watch.compares:
        against = (
            ", against those not changed yet and before the run (Mann-Whitney; in a run in which nothing is wrong it "
            f"halts with {RUN_ALPHA:.0%} at most)"
        )
    yield f"watched: {watch.text} of {of}{against}"
    notes = {
        f"have other triggers in this plan that are left as they are ({_OTHERS})": exposure.shared,
        "have mappings in several waves, and count from their first": exposure.in_several_waves,
    }
    for what, some in notes.items():
        if some and exposure.measure.of != "account":
            yield f"  {some:,} of them {what}"
    if exposure.moved:
        yield f"  {exposure.moved:,} mappings get another function: of these nothing can be told"
    if exposure.without:
        yield f"  {exposure.without:,} mappings have nothing of this to be watched by"
    if count > MOST_SIDE:
        yield f"  of more than {MOST_SIDE} that are changed, or not yet, {MOST_SIDE} are drawn"


_OTHERS = "of triggers beyond it nothing is known"


def _metrics(watch: Watch, exposure: Exposure) -> int:
    """At its dearest: as many changed as not."""
    count = len(exposure.standings)
    half = max(1, count // 2)
    return (
        watch.metrics(changed=half, control=count - half) if watch.compares else watch.metrics(changed=count, control=0)
    )
