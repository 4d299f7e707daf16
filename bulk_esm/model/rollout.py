"""How a run goes beside what it sends: waves, budget and gates, as they stand in `run.json`."""

from __future__ import annotations

from typing import Literal

import msgspec

OnHalt = Literal["stop", "rollback"]


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a run, which hold when it is continued too.

    Attributes:
        waves: cumulative sizes, as users write them: `1`, `5%`, `100%`; one wave of all if there are none.
        as_given: whether the plan's order decides who comes first, and not what makes a wave representative.
        soak_s: the pause between waves, in seconds.
        most_failures: how many mappings may fail before the run halts; None for any number.
        alarms: CloudWatch alarms that halt the run between waves.
        gates: commands that halt it by their exit code.
        confirm_waves: whether to ask before each wave but the first.
        on_halt: whether to put back what the run did when it halts.
        ramp_s: the time over which the updates are spread, in seconds.
        max_per_second: requests/s in each shard; None of older versions.
        concurrency: requests in flight at once in each shard; likewise.
        timeout_s: how long a mapping may take to settle, in seconds; likewise.
    """

    waves: tuple[str, ...] = ()
    as_given: bool = False
    soak_s: float = 0.0
    most_failures: int | None = None
    alarms: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    confirm_waves: bool = False
    on_halt: OnHalt = "stop"
    ramp_s: float = 0.0
    max_per_second: float | None = None
    concurrency: int | None = None
    timeout_s: float | None = None
