"""Asks a run's gates, and keeps in mind since when each could not tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio

from bulk_esm.clock import Clock
from bulk_esm.engine.task_groups import task_group
from bulk_esm.gates.gate import Gate, WaveEnd
from bulk_esm.logs import get_logger
from bulk_esm.model.events import GateAnswered
from bulk_esm.model.gating import Inconclusive, Judgement, Step, combined, judged
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.observers.observer import Observer

log: Final = get_logger("run")


class Gatekeeper:
    """The gates of a run.

    Attributes:
        gates: in the order in which they are asked.
    """

    def __init__(
        self,
        gates: Sequence[Gate],
        settings: RolloutSettings,
        clock: Clock,
        *,
        tell: Observer = lambda _: None,
        has_deadline: bool = False,
    ) -> None:
        """Ask some gates.

        Args:
            gates: in the order in which they are asked.
            settings: how often they are asked, and how long they may be inconclusive.
            clock: by which that is waited for.
            tell: told of each answer.
            has_deadline: whether a deadline ends the wait for what is closed; else the run halts.
        """
        self._tell = tell
        self.gates = gates
        self._settings = settings
        self._clock = clock
        self._has_deadline = has_deadline
        self._since: dict[int, float | None] = {}
        self._told: set[int] = set()

    async def ask(self, end: WaveEnd) -> Judgement:
        """Ask all gates, or as many as let it pass; while one takes its time, those before it are asked again.

        Args:
            end: how the run stands.
        """
        found: dict[int, Judgement] = {}
        for number in range(len(self.gates)):
            with anyio.CancelScope() as scope:

                def heed(earlier: int, judgement: Judgement, scope: anyio.CancelScope = scope) -> None:
                    found[earlier] = judgement
                    if judgement.step is Step.HALT:
                        scope.cancel()

                async with self._asking(range(number), lambda: end, heed):
                    found[number] = await self._ask(number, end)
            if any(judgement.step is Step.HALT for judgement in found.values()):
                break
        return combined(found.values())

    @asynccontextmanager
    async def watching(self, standing: Callable[[], WaveEnd], halt: Callable[[str], None]) -> AsyncIterator[None]:
        """Ask each gate at intervals as long as the context lasts; one that takes its time keeps no other from it.

        Args:
            standing: how the run stands.
            halt: called with the reason of the first that halts.
        """

        def heed(_: int, judgement: Judgement) -> None:
            if judgement.step is Step.HALT:
                halt(standing().halted(judgement.reason or ""))

        async with self._asking(range(len(self.gates)), standing, heed):
            yield

    @asynccontextmanager
    async def _asking(
        self, numbers: Sequence[int], standing: Callable[[], WaveEnd], heed: Callable[[int, Judgement], None]
    ) -> AsyncIterator[None]:
        """Ask some gates at intervals, each by itself and until it halts, as long as the context lasts."""
        if not numbers:
            yield
            return

        async def watch(number: int) -> None:
            while True:
                await self._clock.sleep(self._settings.gate_interval_s)
                judgement = await self._ask(number, standing())
                heed(number, judgement)
                if judgement.step is Step.HALT:
                    return

        async with task_group() as tasks:
            for number in numbers:
                tasks.start_soon(watch, number)
            yield
            tasks.cancel_scope.cancel()

    async def _ask(self, number: int, end: WaveEnd) -> Judgement:
        gate, asked_at = self.gates[number], self._clock.monotonic()
        answer = await gate.check(end)
        judgement = judged(
            answer,
            asked_at=asked_at,
            now=self._clock.monotonic(),
            since=self._since.get(number),
            most_s=self._settings.inconclusive_for_s,
            then=self._settings.on_inconclusive,
            may_wait=self._has_deadline or end.stage == "during",  # which goes on all the same
        )
        self._since[number] = judgement.since
        if not isinstance(answer, Inconclusive):
            self._told.discard(number)
        elif not answer.needs_s and number not in self._told:
            self._told.add(number)  # told once, and not at each interval; nor what must be waited for in any case
            log.warning("gate_cannot_tell", reason=judgement.reason, most_s=self._settings.inconclusive_for_s)
        kind, step = type(gate).__name__, judgement.step.name.lower()
        name = str(getattr(gate, "name", kind))
        log.info(
            "gate_answered",
            wave=end.wave,
            stage=end.stage,
            gate=kind,
            name=name,  # two commands are gates of one kind
            step=step,
            reason=judgement.reason,
        )
        self._tell(GateAnswered(gate=name, wave=end.wave, stage=end.stage, step=step, reason=judgement.reason))
        return judgement
