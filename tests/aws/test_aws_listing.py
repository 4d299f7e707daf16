"""Half a List is not taken for the whole of it, and no listing lasts for ever."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aws_hand_clock import HastyClock
from aws_reach import a_mapping, answering, connected, dripping

from bulk_esm.aws import control_plane as door
from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.listing import LONGEST_S, MOST_PAGES, Listing
from bulk_esm.errors import ServiceError
from bulk_esm.simulator import Simulator

FIRST = {"EventSourceMappings": [a_mapping(0)], "NextMarker": "2"}
LAST = {"EventSourceMappings": [a_mapping(1)], "NextMarker": None}


@asynccontextmanager
async def listed(hasty: HastyClock, handle: Callable[[web.BaseRequest], web.Response]) -> AsyncIterator[ControlPlane]:
    async with (
        answering(handle) as url,
        Simulator(fleet=[a_mapping()]) as simulator,
        connected(simulator, clock=hasty.clock, AWS_ENDPOINT_URL_LAMBDA=url) as connection,
    ):
        yield connection.control_plane


async def numbers(control_plane: ControlPlane, found: list[int]) -> None:
    async for page in control_plane.list():
        found += [int(mapping.uuid[-4:]) for mapping in page]


DAMAGED = {
    "no list": {"message": "Internal failure"},
    "null": {"EventSourceMappings": None},
    "object": {"EventSourceMappings": {"UUID": "x"}},
    "no objects": {"EventSourceMappings": [a_mapping(1), "x"]},
    "no uuid": {"EventSourceMappings": [{"State": "Enabled"}]},
    "empty uuid": {"EventSourceMappings": [a_mapping() | {"UUID": ""}]},
    "uuid of another type": {"EventSourceMappings": [a_mapping() | {"UUID": 7}]},
    "state of another type": {"EventSourceMappings": [a_mapping(State=["Enabled"])]},
    "arn of another type": {"EventSourceMappings": [a_mapping(FunctionArn={})]},
    "time of another type": {"EventSourceMappings": [a_mapping(LastModified="yesterday")]},
    "marker of another type": {"EventSourceMappings": [], "NextMarker": 3},
}


@pytest.mark.parametrize("damage", DAMAGED)
async def test_half_an_answer_is_asked_for_again_and_then_ends_the_listing(damage: str) -> None:
    async with listed(
        HastyClock(), lambda request: web.json_response(DAMAGED[damage] if "Marker" in request.query else FIRST)
    ) as control_plane:
        found: list[int] = []
        with pytest.raises(
            ServiceError, match=r"DamagedAnswer: List.*answered with what is no (page|answer): (Object|Expected)"
        ):
            await numbers(control_plane, found)
        assert found == [0]
        assert not control_plane.census.complete
        assert control_plane.requests == {("list", "ok"): 1, ("list", "error"): 8}


async def test_half_an_answer_that_another_try_mends() -> None:
    answers = [FIRST, *list(DAMAGED.values())[:5], LAST]
    async with listed(HastyClock(), lambda _: web.json_response(answers.pop(0))) as control_plane:
        found: list[int] = []
        await numbers(control_plane, found)
        assert found == [0, 1]
        assert control_plane.census.complete


@pytest.mark.parametrize("markers", [["2"], ["2", "3"], ["2", "3", "4", "3"]])
async def test_a_listing_that_comes_back_to_where_it_was(markers: list[str]) -> None:
    to_come = list(markers)

    def handle(_: web.BaseRequest) -> web.Response:
        return web.json_response(FIRST | {"NextMarker": to_come.pop(0) if to_come else markers[-1]})

    async with listed(HastyClock(), handle) as control_plane:
        with pytest.raises(ServiceError, match=r"EndlessListing: page . leads back to an earlier one"):
            await numbers(control_plane, [])
        assert control_plane.requests["list", "error"] == 0  # answers came: none is asked for again


async def test_slow_answers_end_a_listing() -> None:
    hasty = HastyClock()
    asked: list[str] = []

    def handle(_: web.BaseRequest) -> web.Response:
        hasty.time += LONGEST_S / 4
        asked.append("again")
        return web.json_response(FIRST | {"NextMarker": str(len(asked))})

    async with listed(hasty, handle) as control_plane:
        with pytest.raises(ServiceError, match="EndlessListing: 5 pages took 2,250 s to answer"):
            await numbers(control_plane, [])


async def test_an_answer_that_drips_ends_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_LONGEST_ANSWER_S", 0.02)
    hasty = HastyClock()
    async with (
        dripping() as url,
        Simulator(fleet=[a_mapping()]) as simulator,
        connected(simulator, clock=hasty.clock, AWS_ENDPOINT_URL_LAMBDA=url) as connection,
    ):
        with pytest.raises(ServiceError, match="TimeoutError"):
            await numbers(connection.control_plane, [])
        assert connection.control_plane.requests == {("list", "error"): 8}


def test_a_long_listing_at_a_slow_pace_is_no_endless_one() -> None:
    seconds = 0.0
    listing = Listing(lambda: seconds)
    for number in range(1000):
        asked_at, seconds = seconds, seconds + 0.5
        listing.answered(asked_at)
        seconds += 60.0  # in the line of the pacer
        assert len(listing.page({"EventSourceMappings": [a_mapping(number)], "NextMarker": str(number)})) == 1
    assert listing.page({"EventSourceMappings": []}) == []
    assert listing.marker is None


def test_a_listing_of_more_pages_than_there_can_be() -> None:
    listing = Listing(lambda: 0.0)
    for number in range(MOST_PAGES - 1):
        listing.page({"EventSourceMappings": [], "NextMarker": str(number)})
    with pytest.raises(ServiceError, match="EndlessListing: there are more than 10,000 pages"):
        listing.page({"EventSourceMappings": [], "NextMarker": "more"})
