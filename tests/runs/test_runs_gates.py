"""Gates of a run of several waves, in virtual time: one that takes its time keeps no other from being asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from engine_world import in_virtual_time, virtual_clock
from runs_toy import Seen, ToyExecutor, fleet_of, plan_of, planned, shard

from bulk_esm.gates.gate import Gate, WaveEnd
from bulk_esm.model.gating import GateAnswer, Inconclusive
from bulk_esm.model.records import Intent, RunRecord, RunStatus
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.runs.run import Run

A = shard(1)


class RingingAt:
    """Lets all pass before a moment, and nothing from then on."""

    def __init__(self, at: float, answer: GateAnswer = "it rings") -> None:
        self.at, self.answer = at, answer
        self.asked: list[float] = []

    async def check(self, end: WaveEnd | None) -> GateAnswer:  # noqa: ARG002 - a Gate's
        self.asked.append(anyio.current_time())
        return self.answer if anyio.current_time() >= self.at else None


class Slow:
    """Takes its time, and lets all pass."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.stages: Counter[str] = Counter()

    async def check(self, end: WaveEnd | None) -> GateAnswer:
        if end is not None and end.stage != "before":
            await anyio.sleep(self.takes_s)
            self.stages[end.stage] += 1
        return None


async def carried_out(folder: Path, gates: list[Gate], **rollout: Any) -> RunRecord:
    fleet = msgspec.structs.replace(fleet_of(ToyExecutor({A.name: plan_of(A, 10)}), (A,)), clock=virtual_clock())
    intent = Intent(command="pause", rollout=RolloutSettings(**rollout))
    with await planned(fleet, folder, intent) as plan:
        return await Run(fleet, plan.publish(intent, [[A]], None)).carry_out([Seen()], gates=gates)


@pytest.mark.parametrize(
    "where", [{"waves": ("1", "100%"), "soak_s": 3600.0}, {"bake_s": 3600.0}], ids=["soak", "bake"]
)
@in_virtual_time
async def test_a_slow_gate_keeps_no_alarm_from_being_read(where: dict[str, Any], tmp_path: Path) -> None:
    began, alarm, slow = anyio.current_time(), RingingAt(anyio.current_time() + 1000), Slow(280.0)
    record = await carried_out(tmp_path, [alarm, slow], gate_interval_s=30.0, **where)
    assert record.status is RunStatus.HALTED
    assert str(record.reason).endswith("it rings")
    assert anyio.current_time() - began <= 1000 + 60, "an interval, and one more where the other has just answered"
    assert slow.stages, "nor is the other one kept from its answer"
    between = [after - before for before, after in zip(alarm.asked, alarm.asked[1:], strict=False)]
    assert max(between) <= 60


@in_virtual_time
async def test_what_can_be_told_no_more_meanwhile_holds_what_comes_next(tmp_path: Path) -> None:
    unsure = RingingAt(anyio.current_time() + 100, Inconclusive("who knows"))
    record = await carried_out(
        tmp_path, [unsure, Slow(200.0)], waves=("1", "100%"), gate_interval_s=30.0, inconclusive_for_s=600.0
    )
    assert record.status is RunStatus.HALTED
    assert record.counts["updated"] == 1
    assert "inconclusive for" in str(record.reason)
