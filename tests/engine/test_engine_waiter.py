"""The waiter against a control plane that shows what a test says, in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from engine_world import a_mapping, in_virtual_time, virtual_clock

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.pacing import Pacer
from bulk_esm.engine.settling import Asked, Verdict
from bulk_esm.engine.waiter import Waiter
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.model.mapping import EventSourceMapping, SourceType

NOT_FOUND = ServiceError(code="ResourceNotFoundException", message="", status=404)
BROKEN = ServiceError(code="ServiceException", message="", status=500)
UUID = a_mapping()["UUID"]


class Shown:
    """A control plane whose Get shows a mapping as a function of the time."""

    def __init__(self, look: Callable[[float], dict[str, Any] | Exception], *, max_per_second: float = 12.0) -> None:
        self.pacer = Pacer(max_per_second=max_per_second)
        self.looked_at: list[float] = []
        self._look = look

    async def get(self, _uuid: str, *, deadline: float) -> EventSourceMapping:
        now = asyncio.get_running_loop().time()
        assert now <= deadline
        self.looked_at.append(now)
        shown = self._look(now)
        if isinstance(shown, Exception):
            raise shown
        return EventSourceMapping(a_mapping(**({"LastModified": now} | shown)))

    def waiter(self) -> Waiter:
        return Waiter(cast("ControlPlane", self), clock=virtual_clock())


def asked(source_type: SourceType = SourceType.SQS, **request: Any) -> Asked:
    before = EventSourceMapping(a_mapping())
    return Asked(
        uuid=UUID, source_type=source_type, request=request or {"Enabled": False}, before=before, not_before=0.0
    )


def pauses_at(second: float) -> Callable[[float], dict[str, Any]]:
    return lambda now: {"State": "Disabled" if now >= second else "Disabling"}


@in_virtual_time
async def test_it_looks_when_it_is_likely_to_have_settled_then_after_growing_pauses() -> None:
    shown = Shown(pauses_at(20))
    waiter = shown.waiter()
    settlement = await waiter.settled(asked(), deadline=900)
    assert settlement.verdict is Verdict.SETTLED
    assert settlement.mapping is not None
    assert settlement.mapping.state == "Disabled"
    assert shown.looked_at == pytest.approx([6, 9, 13.5, 20.25])
    statistics = waiter.statistics()
    assert (statistics.waiting, statistics.looks, statistics.found) == (0, 4, 1)


@pytest.mark.parametrize(
    ("source_type", "max_per_second", "first"),
    [(SourceType.SQS, 12.0, 6.0), (SourceType.DOCUMENTDB, 12.0, 90.0), (SourceType.KINESIS, 240.0, 1.0)],
)
@in_virtual_time
async def test_the_first_look_goes_by_source_type_and_rate(
    source_type: SourceType, max_per_second: float, first: float
) -> None:
    shown = Shown(pauses_at(0), max_per_second=max_per_second)
    await shown.waiter().settled(asked(source_type), deadline=900)
    assert shown.looked_at == [first]


@in_virtual_time
async def test_at_the_deadline_it_looks_once_more() -> None:
    shown = Shown(pauses_at(1000))
    settlement = await shown.waiter().settled(asked(), deadline=10)
    assert settlement.verdict is Verdict.TIMED_OUT
    assert settlement.mapping is not None
    assert settlement.mapping.state == "Disabling"
    assert shown.looked_at == [6, 9, 10]
    late = Shown(pauses_at(9.5))
    assert (await late.waiter().settled(asked(), deadline=20)).verdict is Verdict.SETTLED


@in_virtual_time
async def test_an_old_picture_is_not_an_answer() -> None:
    shown = Shown(lambda now: {"State": "Disabled", "LastModified": -1.0 if now < 12 else now})
    assert (await shown.waiter().settled(asked(), deadline=900)).verdict is Verdict.SETTLED
    assert shown.looked_at == [6, 9, 13.5]


@pytest.mark.parametrize(
    ("state", "verdict"), [({}, Verdict.NOT_APPLIED), ({"BatchSize": 7}, Verdict.CHANGED)]
)  # fmt: skip
@in_virtual_time
async def test_a_mismatch_is_looked_at_once_more_before_it_counts(state: dict[str, Any], verdict: Verdict) -> None:
    stays = Shown(lambda _: state)
    settlement = await stays.waiter().settled(asked(BatchSize=5), deadline=900)
    assert settlement.verdict is verdict
    assert stays.looked_at == [6, 9]
    passes = Shown(lambda now: state if now < 17 else {"BatchSize": 5})
    assert (await passes.waiter().settled(asked(BatchSize=5), deadline=900)).verdict is Verdict.SETTLED
    assert passes.looked_at == [15, 18]


@in_virtual_time
async def test_a_mismatch_that_passes_does_not_count() -> None:
    """Two mismatches with a look between them that saw something else are not confirmed."""
    states = iter(
        [
            {"State": "Enabled"},
            {"State": "Disabling"},
            {"State": "Enabled"},
            {"State": "Disabling"},
            {"State": "Disabled"},
        ]
    )
    shown = Shown(lambda _: next(states))
    assert (await shown.waiter().settled(asked(), deadline=900)).verdict is Verdict.SETTLED


@in_virtual_time
async def test_one_that_is_gone() -> None:
    shown = Shown(lambda _: NOT_FOUND)
    waiter = shown.waiter()
    settlement = await waiter.settled(asked(), deadline=900)
    assert (settlement.verdict, settlement.mapping) == (Verdict.GONE, None)
    assert await shown.waiter().at_rest(UUID, SourceType.SQS, deadline=900) is None


@pytest.mark.parametrize("error", [BROKEN, AccessError("no")])
@in_virtual_time
async def test_a_look_that_fails_for_good(error: Exception) -> None:
    waiter = Shown(lambda _: error).waiter()
    with pytest.raises(type(error)):
        await waiter.settled(asked(), deadline=900)
    assert waiter.statistics().waiting == 0


@in_virtual_time
async def test_at_rest_whatever_it_has() -> None:
    shown = Shown(lambda now: {"State": "Updating" if now < 7 else "Enabled", "BatchSize": 77})
    found = await shown.waiter().at_rest(UUID, SourceType.SQS, deadline=900)
    assert found is not None
    assert (found.state, found.configuration["BatchSize"]) == ("Enabled", 77)
    assert shown.looked_at == [6, 9]


@in_virtual_time
async def test_at_rest_in_time_or_not_it_has_looked() -> None:
    """Nothing but a look may say that a mapping does not exist."""
    shown = Shown(lambda _: {"State": "Updating"})
    found = await shown.waiter().at_rest(UUID, SourceType.SQS, deadline=0)
    assert found is not None
    assert found.state == "Updating"


@in_virtual_time
async def test_many_wait_at_once() -> None:
    shown = Shown(pauses_at(20))
    waiter = shown.waiter()
    waits = [asyncio.create_task(waiter.settled(asked(), deadline=900)) for _ in range(5)]
    await asyncio.sleep(10)
    statistics = waiter.statistics()
    assert (statistics.waiting, statistics.looks, statistics.found) == (5, 10, 0)
    assert {(await wait).verdict for wait in waits} == {Verdict.SETTLED}
    assert waiter.statistics().found == 5
