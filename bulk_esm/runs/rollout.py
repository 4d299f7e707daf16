"""Carries a plan out in waves: a wave, its soak, its gates, the next wave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio

from bulk_esm.clock import Clock
from bulk_esm.gates.gate import Gate, WaveEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.events import WaveBegan
from bulk_esm.model.records import RunStatus
from bulk_esm.model.result import Result
from bulk_esm.model.slices import Slice
from bulk_esm.model.stopping import Stop
from bulk_esm.observers.observer import Observer
from bulk_esm.runs.wave_tasks import WaveTasks

log: Final = get_logger("run")

# While soaking the gates are asked a few times, and at least this often.
_CHECKS_IN_A_SOAK: Final = 4
_CHECK_AT_LEAST_EVERY_S: Final = 15.0


class Rollout:
    """One run's waves.

    Attributes:
        stage: what is being done between two waves, for the display; empty during a wave.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, all with defaults
        self,
        tasks: WaveTasks,
        waves: Sequence[Sequence[Slice]],
        *,
        tell: Observer = lambda _: None,
        gates: Sequence[Gate] = (),
        confirm: Callable[[WaveEnd], Awaitable[bool]] | None = None,
        soak_s: float = 0.0,
        opens_at: float = float("-inf"),
        deadline: float = float("inf"),
        as_given: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """Prepare."""
        self.stage = ""
        self._tasks = tasks
        self._waves = waves
        self._tell = tell
        self._gates = gates
        self._confirm = confirm
        self._soak_s = soak_s
        self._opens_at = opens_at
        self._deadline = deadline
        self._as_given = as_given
        self._clock = clock or Clock()
        self._between = anyio.CancelScope()

    async def run(self, record: Callable[[Result], None]) -> None:
        """Carry out all waves, or as many as nothing stops."""
        begun = ended = 0
        try:
            await self._wait_for_opening()
            for number, wave in enumerate(self._waves, start=1):
                if not wave:
                    continue  # a run that is continued has been through it
                if number > 1 and self._tasks.stopped_by is None:
                    await self._pause(number - 1, soaks=ended > 0)
                begun = number
                begins = self._tasks.stopped_by is None
                if begins:
                    self._tell(WaveBegan(wave=number, waves=len(self._waves), updates=sum(map(len, wave))))
                await self._tasks.run(wave, record, wave=number, as_given=self._as_given)
                if begins:
                    log.info("wave_ended", wave=number, outcomes=dict(self._tasks.outcomes))
                ended = number
        finally:
            for number, wave in enumerate(self._waves[begun:], start=begun + 1):
                self._tasks.leave(wave, record, wave=number)

    def stop(self, stop: Stop) -> None:
        """Send nothing more, and look at once at what was accepted; a soak and its gates end at once."""
        self._tasks.stop(stop, hurry=True)
        self._between.cancel()

    async def _wait_for_opening(self) -> None:
        left_s = self._opens_at - self._clock.monotonic()
        if left_s > 0:
            with anyio.CancelScope() as self._between:
                self.stage = "waiting for its window to open"
                log.info("window_awaited", seconds=round(left_s))
                await self._clock.sleep(left_s)
            self.stage = ""

    async def _pause(self, wave: int, *, soaks: bool) -> None:
        """Soak, and ask; a run that is continued has soaked, but what halted it may still be so."""
        outcomes = self._tasks.outcomes
        updates = sum(map(len, self._waves[wave]))
        end = WaveEnd(wave=wave, waves=len(self._waves), next_updates=updates, outcomes=outcomes)
        with anyio.CancelScope() as self._between:
            reason = await self._soak(end, soak_s=self._soak_s if soaks else 0.0)
            if reason is None and self._confirm is not None and soaks:
                self.stage = f"wave {wave} of {end.waves} is done; asking whether to go on"
                consents = await self._confirm(end)
                log.info("asked_to_go_on", wave=wave, answer="yes" if consents else "no")
                reason = None if consents else f"after wave {wave} the answer was not to go on"
            if reason is not None:
                self._tasks.stop(Stop(RunStatus.HALTED, reason))
        self.stage = ""

    async def _soak(self, end: WaveEnd, *, soak_s: float) -> str | None:
        """Wait, and ask the gates at the beginning, at the end, and in between."""
        until = self._clock.monotonic() + soak_s
        log.info("soak_began", wave=end.wave, seconds=soak_s)
        if until > self._deadline:
            self._tasks.stop(Stop(RunStatus.DEADLINE, f"the deadline comes before wave {end.wave + 1} could begin"))
            return None
        while True:
            self.stage = f"wave {end.wave} of {end.waves} is done; soaking"
            for gate in self._gates:
                reason = await gate.check(end)
                log.info("gate_answered", wave=end.wave, gate=type(gate).__name__, reason=reason)
                if reason is not None:
                    return f"after wave {end.wave}, {reason}"
            left_s = round(until - self._clock.monotonic(), 6)  # less than that is no time to ask once more after
            if left_s <= 0:
                log.info("soak_ended", wave=end.wave)
                return None
            await self._clock.sleep(min(left_s, soak_s / _CHECKS_IN_A_SOAK, _CHECK_AT_LEAST_EVERY_S))
