"""Waiting until a mapping is at rest, in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from engine_world import a_mapping, in_virtual_time, virtual_clock

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.pacing import Pacer
from bulk_esm.engine.resting import until_at_rest
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.transitions import Transition, TransitionKind

SQS = Transition(SourceType.SQS, TransitionKind.DISABLE)
DOCUMENTDB = Transition(SourceType.DOCUMENTDB, TransitionKind.DISABLE)
KINESIS = Transition(SourceType.KINESIS, TransitionKind.RECONFIGURE)

NOT_FOUND = ServiceError(code="ResourceNotFoundException", message="", status=404)
BROKEN = ServiceError(code="ServiceException", message="", status=500)
UUID = a_mapping()["UUID"]


class Shown:
    """A control plane whose Get shows a mapping as a function of the time."""

    def __init__(self, look: Callable[[float], dict[str, Any] | Exception], *, max_per_second: float = 15.0) -> None:
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
        return EventSourceMapping(a_mapping(**shown))

    async def until_at_rest(
        self, transition: Transition = SQS, *, deadline: float = 900.0
    ) -> EventSourceMapping | None:
        return await until_at_rest(
            cast("ControlPlane", self), UUID, transition, deadline=deadline, clock=virtual_clock()
        )


def rests_at(second: float) -> Callable[[float], dict[str, Any]]:
    return lambda now: {"State": "Enabled" if now >= second else "Updating", "BatchSize": 77}


@in_virtual_time
async def test_it_looks_after_growing_pauses_and_takes_whatever_it_finds() -> None:
    shown = Shown(rests_at(16))
    found = await shown.until_at_rest()
    assert found is not None
    assert (found.state, found.configuration["BatchSize"]) == ("Enabled", 77)
    assert shown.looked_at == pytest.approx([3.75, 9.375, 17.8125])


@pytest.mark.parametrize(
    ("transition", "max_per_second", "first"),
    [(SQS, 15.0, 3.75), (DOCUMENTDB, 15.0, 50.0), (KINESIS, 300.0, 0.625)],
)
@in_virtual_time
async def test_the_first_look_goes_by_transition_and_rate(
    transition: Transition, max_per_second: float, first: float
) -> None:
    shown = Shown(rests_at(0), max_per_second=max_per_second)
    await shown.until_at_rest(transition)
    assert shown.looked_at == pytest.approx([first])


@in_virtual_time
async def test_at_the_deadline_it_looks_once_more() -> None:
    shown = Shown(rests_at(1000))
    found = await shown.until_at_rest(deadline=10)
    assert found is not None
    assert found.state == "Updating"
    assert shown.looked_at == pytest.approx([3.75, 9.375, 10])
    late = await Shown(rests_at(9.5)).until_at_rest(deadline=10)
    assert late is not None
    assert late.at_rest


@in_virtual_time
async def test_in_time_or_not_it_has_looked() -> None:
    """Nothing but a look may say that a mapping does not exist."""
    shown = Shown(rests_at(1000))
    found = await shown.until_at_rest(deadline=0)
    assert found is not None
    assert found.state == "Updating"
    assert shown.looked_at == [0]


@in_virtual_time
async def test_one_that_is_gone() -> None:
    assert await Shown(lambda now: NOT_FOUND if now > 5 else {"State": "Deleting"}).until_at_rest() is None


@pytest.mark.parametrize("error", [BROKEN, AccessError("no")])
@in_virtual_time
async def test_a_look_that_fails_for_good(error: Exception) -> None:
    with pytest.raises(type(error)):
        await Shown(lambda _: error).until_at_rest()
