"""How a run goes beside what it sends: waves, budget and gates, as they stand in `run.json`."""

from __future__ import annotations

from typing import Literal

from bulk_esm.errors import UsageError
from bulk_esm.model.checked import AboveZero, AtLeastOne, Checked, Count, Seconds
from bulk_esm.model.watching import Watch
from bulk_esm.model.waves import wave_sizes
from bulk_esm.model.window import Window

OnHalt = Literal["stop", "rollback"]
OnInconclusive = Literal["halt", "go"]
ShardAlarmHalts = Literal["shard", "fleet"]


class RolloutSettings(Checked, frozen=True, kw_only=True):
    """The settings of a run, which hold when it is continued too.

    Attributes:
        waves: cumulative sizes, as users write them: `1`, `5%`, `100%`; one wave of all if there are none.
        as_given: whether the plan's order decides who comes first, and not what makes a wave representative.
        soak_s: the pause between waves, in seconds.
        most_failures: how many mappings may fail before the run halts; None for any number.
        bake_s: how long the run watches after its last wave, in seconds.
        alarms: CloudWatch alarms that halt the run.
        shard_alarms: those that are read in each account and Region of a fleet.
        shard_alarm_halts: whether one of those halts its account and Region alone, or all.
        calendars: Systems Manager's change calendars that must be open; while one is closed the next wave waits.
        gates: commands that halt it by their exit code.
        watch: what of CloudWatch's metrics halts it, as users write it: `errors`, `errors<5%`.
        gate_interval_s: how often these are asked while something is sent, and at least while soaking, in seconds.
        gate_timeout_s: how long a command may take, in seconds; one that takes longer is inconclusive.
        inconclusive_for_s: how long a gate may be inconclusive, in seconds.
        on_inconclusive: what to do then.
        confirm_waves: whether to ask before each wave but the first.
        approve_waves: whether each wave but the first waits until somebody approves it.
        on_halt: whether to put back what the run did when it halts.
        ramp_s: the time over which the updates are spread, in seconds.
        max_per_second: requests/s in each shard; None of older versions.
        concurrency: requests in flight at once in each shard; likewise.
        timeout_s: how long a mapping may take to settle, in seconds; likewise.
        shards_at_once: how many shards are worked in at once; None for what the executor takes by itself.
        paused_for_s: how long what it pauses will stay so, in seconds; 0 if that was not said.
        window: when it may work, such as `02:00-04:30[Europe/Berlin]`: it begins in it, and ends with it; or None.
    """

    waves: tuple[str, ...] = ()
    as_given: bool = False
    soak_s: Seconds = 0.0
    most_failures: Count | None = None
    bake_s: Seconds = 0.0
    alarms: tuple[str, ...] = ()
    shard_alarms: tuple[str, ...] = ()
    shard_alarm_halts: ShardAlarmHalts = "shard"
    calendars: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    gate_interval_s: AboveZero = 30.0
    gate_timeout_s: AboveZero = 300.0
    inconclusive_for_s: Seconds = 600.0
    on_inconclusive: OnInconclusive = "halt"
    confirm_waves: bool = False
    approve_waves: bool = False
    on_halt: OnHalt = "stop"
    ramp_s: Seconds = 0.0
    max_per_second: AboveZero | None = None
    concurrency: AtLeastOne | None = None
    timeout_s: AboveZero | None = None
    shards_at_once: AtLeastOne | None = None
    paused_for_s: Seconds = 0.0
    window: str | None = None

    def check(self) -> None:
        """Refuse waves and a window that are none, and a gate without a command; called where it is made.

        Raises:
            UsageError: see `parse_waves` too.
        """
        if self.waves:
            wave_sizes(self.waves)
        if self.window is not None:
            Window.parse(self.window)
        for text in self.watch:
            Watch.parse(text)
        if not all(gate.strip() for gate in self.gates):
            raise UsageError("--gate is empty; give it a command, such as --gate './healthy.sh'")
