"""The worked examples of docs/architecture.md, carried out from outside the package, with no more than it exports."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from api_world import EVERYTHING, PAUSE, connected
from engine_world import accepted, in_virtual_time, queues

from bulk_esm import (
    EventSourceMapping,
    Intent,
    MappingEnded,
    Outcome,
    RolloutSettings,
    RunBegan,
    RunEnded,
    RunEvent,
    RunStatus,
    Selection,
    WaveBegan,
    WaveEnd,
)

ROOT = Path(__file__).parent.parent.parent
IN_WAVES = Intent(command="pause", rollout=RolloutSettings(waves=("1", "50%", "100%")))


class Weekdays:
    """A toy gate: halts on Saturday and Sunday, as the clock that it is given tells."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.asked_after: list[int] = []

    async def check(self, end: WaveEnd | None) -> str | None:
        if end is not None:
            self.asked_after.append(end.wave)
        day = f"{self._now():%A}"
        return f"it is {day}" if day in {"Saturday", "Sunday"} else None


class Tally:
    """A toy observer: what happened, and how often."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outcomes: Counter[Outcome] = Counter()

    def __call__(self, event: RunEvent) -> None:
        match event:
            case RunBegan(record):
                self.lines.append(f"{record.command} begins")
            case WaveBegan(wave=wave, waves=waves):
                self.lines.append(f"wave {wave} of {waves}")
            case MappingEnded(result):
                self.outcomes[result.outcome] += 1
            case RunEnded(record):
                self.lines.append(f"{record.status}: {record.reason or 'all well'}")


class Smaller(Selection, frozen=True, kw_only=True):
    """A toy filter: mappings whose batches are smaller. Only `matches` decides, so there is nothing else to change."""

    batch_size: int

    def matches(self, mapping: EventSourceMapping, tags_by_arn: dict[str, dict[str, str]] | None = None) -> bool:  # type: ignore[override]
        return super().matches(mapping, tags_by_arn) and mapping.configuration["BatchSize"] < self.batch_size


@pytest.mark.parametrize(
    ("day", "status", "updated", "asked_after", "last"),
    [
        (20, RunStatus.FINISHED, 10, [0, 1, 2], "finished: all well"),
        (21, RunStatus.HALTED, 0, [0], "halted: before the first update, it is Saturday"),
    ],
)
@in_virtual_time
async def test_a_gate_and_an_observer(
    tmp_path: Path, day: int, status: RunStatus, updated: int, asked_after: list[int], last: str
) -> None:
    gate, tally = Weekdays(lambda: datetime(2026, 11, day, 12, tzinfo=UTC)), Tally()
    async with connected(runs_dir=tmp_path, fleet=queues(10)) as (simulator, bulk):
        run = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=IN_WAVES)
        record = await run.carry_out([tally], gates=[gate])
        assert record.status is status
        assert len(accepted(simulator)) == updated
    assert gate.asked_after == asked_after
    assert tally.outcomes == Counter({Outcome.UPDATED: updated, Outcome.NOT_STARTED: 10 - updated})
    waves = [f"wave {number} of 3" for number in (1, 2, 3)]
    assert tally.lines == ["pause begins", *(waves if updated == 10 else ()), last]


@in_virtual_time
async def test_a_filter(tmp_path: Path) -> None:
    fleet = [{**mapping, "BatchSize": number + 1} for number, mapping in enumerate(queues(10))]
    async with connected(runs_dir=tmp_path, fleet=fleet) as (simulator, bulk):
        selection = Smaller(all=True, batch_size=4)
        assert {one.configuration["BatchSize"] for one in (await bulk.list(selection)).mappings} == {1, 2, 3}
        record = await bulk.apply(await bulk.plan(selection, PAUSE))
        assert record.counts == {"updated": 3}
        assert accepted(simulator) == {mapping["UUID"] for mapping in fleet[:3]}


def test_the_files_of_the_worked_examples_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {word.strip("`.,;:()") for word in text.split() if word.startswith(("`bulk_esm/", "`tests/", "(`tests/"))}
    named = {word for word in named if "NAME" not in word}
    assert len(named) > 20
    assert [word for word in sorted(named) if not (ROOT / word).exists()] == []
