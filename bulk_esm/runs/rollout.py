"""Carries a plan out in waves: its gates, a wave, its soak, its gates, the next wave; and the bake at its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio

from bulk_esm.clock import Clock
from bulk_esm.gates.gate import Gate, Stage, WaveEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.control import NOTHING_ASKED, Control, stopped_reason
from bulk_esm.model.events import WaveBegan
from bulk_esm.model.gating import Step, next_ask_s
from bulk_esm.model.records import RunStatus
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.slices import Slice
from bulk_esm.model.stopping import Stop
from bulk_esm.observers.observer import Observer
from bulk_esm.runs.gatekeeper import Gatekeeper
from bulk_esm.runs.wave_tasks import WaveTasks

log: Final = get_logger("run")


class Rollout:
    """One run's waves.

    Attributes:
        stage: what is being done between two waves, for the display; empty during a wave.
        until: when that is over at the earliest, on the clock; None where nobody can tell.
        awaits: the wave that waits until somebody approves it, or None.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, all with defaults
        self,
        tasks: WaveTasks,
        waves: Sequence[Sequence[Slice]],
        *,
        tell: Observer = lambda _: None,
        gates: Sequence[Gate] = (),
        confirm: Callable[[WaveEnd], Awaitable[bool]] | None = None,
        settings: RolloutSettings | None = None,
        opens_at: float = float("-inf"),
        deadline: float = float("inf"),
        at_wave_end: Callable[[], None] = lambda: None,
        control: Callable[[], Control] = lambda: NOTHING_ASKED,
        clock: Clock | None = None,
    ) -> None:
        """Prepare."""
        self.stage = ""
        self.until: float | None = None
        self.awaits: int | None = None
        self._has_baked = False
        self._tasks = tasks
        self._waves = waves
        self._tell = tell
        self._confirm = confirm
        self._settings = settings or RolloutSettings()
        self._opens_at = opens_at
        self._deadline = deadline
        self._at_wave_end = at_wave_end
        self._clock = clock or Clock()
        has_deadline = deadline < float("inf")
        self._keeper = Gatekeeper(gates, self._settings, self._clock, tell=tell, has_deadline=has_deadline)
        self._between = anyio.CancelScope()
        self._control = control
        self._heeded = NOTHING_ASKED
        self._nap = anyio.CancelScope()

    async def run(self, record: Callable[[Result], None]) -> None:
        """Carry out all waves, or as many as nothing stops, and bake."""
        begun = ended = 0
        try:
            await self._wait_for_opening()
            for number, wave in enumerate(self._waves, start=1):
                if not wave:
                    continue  # a run that is continued has been through it
                asks = number > 1 or bool(self._keeper.gates) or self._control().held is not None
                if self._tasks.stopped_by is None and asks:
                    await self._pause(number - 1, soaks=ended > 0)
                begun = number
                await self._carry_out(number, record)
                ended = number
            if self.bake_is_left and self._tasks.stopped_by is None:
                await self._bake()
        finally:
            for number, wave in enumerate(self._waves[begun:], start=begun + 1):
                self._tasks.leave(wave, record, wave=number)

    async def _carry_out(self, number: int, record: Callable[[Result], None]) -> None:
        """Carry out a wave, and ask the gates meanwhile; of one that may not begin all is `not_started`."""
        wave, as_given = self._waves[number - 1], self._settings.as_given
        if self._tasks.stopped_by is not None:
            await self._tasks.run(wave, record, wave=number, as_given=as_given)
            return
        self._tell(WaveBegan(wave=number, waves=len(self._waves), updates=sum(map(len, wave))))
        async with self._keeper.watching(lambda: self._standing("during", number), self._halt):
            await self._tasks.run(wave, record, wave=number, as_given=as_given)
        self._at_wave_end()
        log.info("wave_ended", wave=number, outcomes=dict(self._tasks.outcomes))

    def _standing(self, stage: Stage, number: int) -> WaveEnd:
        """How the run stands when its gates are asked."""
        following = number if stage == "during" else number + 1
        return WaveEnd(
            wave=number,
            waves=len(self._waves),
            next_updates=sum(map(len, self._waves[following - 1])) if following <= len(self._waves) else 0,
            outcomes=self._tasks.outcomes,
            stage=stage,
        )

    def _halt(self, reason: str) -> None:
        """Send nothing more; what was accepted is waited for."""
        self._tasks.stop(Stop(RunStatus.HALTED, reason))

    def stop(self, stop: Stop) -> None:
        """Send nothing more, and look at once at what was accepted; a soak and its gates end at once."""
        self._tasks.stop(stop, hurry=True)
        self._between.cancel()

    def heed(self) -> None:
        """Do what others ask of the run; called now and then."""
        control, before = self._control(), self._heeded
        self._heeded = control
        if control.stopped is not None and before.stopped is None:
            self._tasks.stop(Stop(RunStatus.HALTED, stopped_reason(control.stopped)))
            self._between.cancel()
        self._tasks.hold(is_held=control.held is not None)
        if control.held is not None and self._clock.monotonic() >= self._deadline:
            self._tasks.stop(self._too_late(Stop(RunStatus.DEADLINE, "")))
        if control != before:
            self._nap.cancel()

    def _too_late(self, otherwise: Stop) -> Stop:
        """How the deadline ends it, as long as somebody keeps it from going on."""
        if (held := self._control().held) is not None:
            return Stop(RunStatus.DEADLINE, f"the deadline came while it was held by {held.who}")
        if self.awaits is not None:
            return Stop(RunStatus.DEADLINE, f"the deadline came before anybody had approved wave {self.awaits}")
        return otherwise

    async def _wait_for_opening(self) -> None:
        left_s = self._opens_at - self._clock.monotonic()
        if left_s > 0:
            with anyio.CancelScope() as self._between:
                self.stage, self.until = "waiting for its window to open", self._opens_at
                log.info("window_awaited", seconds=round(left_s))
                await self._clock.sleep(left_s)
            self.stage, self.until = "", None

    async def _pause(self, wave: int, *, soaks: bool) -> None:
        """Soak, and ask; a run that begins or is continued has soaked, but what halts it may be so already."""
        end = self._standing("between" if wave else "before", wave)
        with anyio.CancelScope() as self._between:
            await self._soak(end, soak_s=self._settings.soak_s if soaks else 0.0)
            if self._tasks.stopped_by is None and self._confirm is not None and soaks:
                self.stage, self.until = f"wave {wave} of {end.waves} is done; asking whether to go on", None
                consents = await self._confirm(end)
                log.info("asked_to_go_on", wave=wave, answer="yes" if consents else "no")
                if not consents:
                    self._halt(f"after wave {wave} the answer was not to go on")
                elif self._control().held is not None:
                    await self._soak(end, soak_s=0.0)
        self.stage, self.until, self.awaits = "", None, None

    async def _soak(self, end: WaveEnd, *, soak_s: float) -> None:
        """Wait, and ask the gates at the beginning, at the end, and in between."""
        until = self._clock.monotonic() + soak_s
        too_late = Stop(RunStatus.DEADLINE, f"the deadline comes before wave {end.wave + 1} could begin")
        if end.wave:
            log.info("soak_began", wave=end.wave, seconds=soak_s)
        if until > self._deadline:
            self._tasks.stop(too_late)
            return
        self.stage = (
            f"wave {end.wave} of {end.waves} is done; soaking"
            if end.wave
            else "asking its gates"
            if self._keeper.gates
            else ""
        )
        if await self._ask_until(until, soak_s, end, too_late) and end.wave:
            log.info("soak_ended", wave=end.wave)

    @property
    def bake_is_left(self) -> bool:
        """Whether something was done that is to be watched for a while, and has not been."""
        return self._settings.bake_s > 0 and not self._has_baked and self._tasks.outcomes[Outcome.UPDATED] > 0

    async def _bake(self) -> None:
        """Watch for a while what was done. A run that is continued bakes anew: nobody has watched meanwhile."""
        bake_s = self._settings.bake_s
        log.info("bake_began", seconds=bake_s)
        with anyio.CancelScope() as self._between:
            end = self._standing("bake", len(self._waves))
            self.stage = "all is done; baking"
            too_late = Stop(RunStatus.DEADLINE, "the deadline came before its bake was over")
            if await self._ask_until(self._clock.monotonic() + bake_s, bake_s, end, too_late):
                self._has_baked = True
                log.info("bake_ended")
        self.stage, self.until = "", None

    async def _ask_until(self, until: float, soak_s: float, end: WaveEnd, too_late: Stop) -> bool:
        """Ask the gates again and again, until a moment and then until all of them are well.

        Returns:
            Whether they are; else the run has been stopped.
        """
        stage, self.until = self.stage, until
        while True:
            judgement = await self._keeper.ask(end)
            if judgement.step is Step.HALT:
                self._halt(end.halted(judgement.reason or ""))
            if self._tasks.stopped_by is not None:
                return False
            waits = judgement.step is Step.WAIT
            now = self._clock.monotonic()
            left_s = round(until - now, 6)  # less than that is no time to ask once more after
            is_through = left_s <= 0 and not waits
            self.awaits = self._unapproved(end) if is_through else None
            if is_through and self.awaits is None and self._control().held is None:
                return True
            again = f"{judgement.reason}; asked again" if waits else ""
            awaits = f"awaiting approval of wave {self.awaits}" if self.awaits else ""
            until_now = stage.removesuffix("; soaking") if is_through else stage
            self.stage = "; ".join(filter(None, (until_now, again, awaits)))
            if now >= self._deadline:
                why = f": {judgement.reason}" if waits else ""
                self._tasks.stop(self._too_late(Stop(too_late.status, f"{too_late.reason}{why}")))
                return False
            pause_s = next_ask_s(left_s, soak_s, self._settings.gate_interval_s)
            with anyio.CancelScope() as self._nap:  # which ends as soon as something else is asked
                await self._clock.sleep(min(pause_s, max(0.001, self._deadline - now)))

    def _unapproved(self, end: WaveEnd) -> int | None:
        """The wave that would begin now, if that needs an approval which it has not."""
        following = end.wave + 1
        is_next = self._settings.approve_waves and end.stage == "between" and following <= end.waves
        return following if is_next and following not in self._control().approved else None
