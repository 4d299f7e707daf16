"""The simulator can be as broken and as hostile as no Lambda was ever seen to be."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from bulk_esm.simulator import Faults, Kind, Simulator, Spoil, make_fleet
from bulk_esm.simulator.spoils import HOSTILE_TEXT

Connect = Callable[..., AbstractAsyncContextManager[Any]]
COLLECTION = "/2015-03-31/event-source-mappings"
FLEET = make_fleet(8)
UUID = FLEET.mappings[0]["UUID"]
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/lambda/aws4_request"


@asynccontextmanager
async def spoiled(*spoils: Spoil, **faults: Any) -> AsyncIterator[tuple[Simulator, Callable[..., Any]]]:
    """A simulator, and a way to see its answers as they are."""
    async with (
        Simulator(fleet=FLEET, faults=Faults(spoils=spoils, **faults)) as simulator,
        aiohttp.ClientSession(simulator.endpoint_url, headers={"Authorization": CREDENTIAL}) as session,
    ):

        async def ask(method: str = "GET", rest: str = "", body: object = None) -> tuple[int, bytes, Any]:
            data = None if body is None else msgspec.json.encode(body)
            async with session.request(method, f"{COLLECTION}{rest}", data=data, allow_redirects=False) as answer:
                return answer.status, await answer.read(), answer.headers

        yield simulator, ask


async def page(ask: Callable[..., Any], rest: str = "") -> dict[str, Any]:
    status, body, _ = await ask(rest=rest)
    assert status == 200
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


async def test_a_success_without_a_list() -> None:
    async with spoiled(Spoil.NO_LIST) as (_, ask):
        assert await page(ask) == {"message": "Internal failure"}


async def test_mappings_that_are_none() -> None:
    async with spoiled(Spoil.NO_OBJECTS) as (_, ask):
        assert (await page(ask))["EventSourceMappings"] == list(range(8))
    async with spoiled(Spoil.NO_UUIDS) as (_, ask):
        assert {each["UUID"] for each in (await page(ask))["EventSourceMappings"]} == {None}


async def test_pages_that_repeat() -> None:
    for spoil in (Spoil.SAME_MARKER, Spoil.ENDLESS):
        async with spoiled(spoil) as (_, ask):
            first = await page(ask)
            second = await page(ask, f"?Marker={first['NextMarker']}")
            assert first["EventSourceMappings"] == second["EventSourceMappings"]
            assert (first["NextMarker"] == second["NextMarker"]) is (spoil is Spoil.SAME_MARKER)


@pytest.mark.parametrize("spoil", [Spoil.NO_LIST, Spoil.NO_UUIDS, Spoil.SAME_MARKER])
async def test_what_spoils_list_spoils_nothing_else(spoil: Spoil) -> None:
    async with spoiled(spoil) as (_, ask):
        status, body, _ = await ask(rest=f"/{UUID}")
        assert (status, msgspec.json.decode(body)["UUID"]) == (200, UUID)


@pytest.mark.parametrize("spoil", [Spoil.HALF, Spoil.NO_TEXT, Spoil.DEEP])
async def test_bodies_that_are_no_json_after_an_update_was_applied(spoil: Spoil) -> None:
    async with spoiled(spoil) as (simulator, ask):
        status, body, _ = await ask("PUT", f"/{UUID}", {"BatchSize": 5})
        assert status == 202
        with pytest.raises((msgspec.DecodeError, RecursionError, UnicodeDecodeError)):
            msgspec.json.decode(body)
        assert [each.accepted_count for each in simulator.report().mappings if each.uuid == UUID] == [1]


async def test_errors_of_wrong_types_and_redirects_apply_nothing() -> None:
    async with spoiled(Spoil.WRONG_ERROR) as (simulator, ask):
        bodies = {(await ask("PUT", f"/{UUID}", {"BatchSize": 5}))[1] for _ in range(20)}
        assert {b'["x"]', b"null", b"\xff\xfe", b""} <= bodies
        assert simulator.report().count(Kind.UPDATE, status=500) > 0
        assert not any(each.accepted_count for each in simulator.report().mappings)
    async with spoiled(Spoil.REDIRECT, redirects_to="http://127.0.0.1:1/there") as (simulator, ask):
        status, body, headers = await ask("PUT", f"/{UUID}", {"BatchSize": 5})
        assert (status, body, headers["Location"]) == (307, b"", "http://127.0.0.1:1/there")
        assert not any(each.accepted_count for each in simulator.report().mappings)


async def test_a_drip() -> None:
    async with spoiled(Spoil.DRIP, drip_s=0.0001) as (_, ask):
        began = time.monotonic()
        status, body, _ = await ask(rest=f"/{UUID}")
        assert status == 200
        assert msgspec.json.decode(body)["UUID"] == UUID
        assert time.monotonic() - began >= 0.0001 * len(body)


async def test_hostile_text() -> None:
    async with spoiled(Spoil.HOSTILE_TEXT) as (_, ask):
        found = await page(ask)
        assert all(each["FunctionArn"].endswith(HOSTILE_TEXT) for each in found["EventSourceMappings"])
        status, body, _ = await ask(rest="/00000000-0000-4000-8000-000000000000")
        assert (status, msgspec.json.decode(body)["Message"].endswith(HOSTILE_TEXT)) == (404, True)


async def test_a_share_is_spoiled_and_the_kinds_are_drawn() -> None:
    async with spoiled(Spoil.HALF, Spoil.NO_LIST, spoiled_share=0.5) as (_, ask):
        bodies = [(await ask())[1] for _ in range(15)]
        whole = max(bodies, key=len)
        assert {whole, whole[: len(whole) // 2], b'{"message":"Internal failure"}'} == set(bodies)


async def test_nothing_but_lambda_is_spoiled(connect: Connect) -> None:
    faults = Faults(spoils=tuple(Spoil), redirects_to="http://127.0.0.1:1/")
    async with Simulator(fleet=FLEET, faults=faults) as simulator, connect(simulator, "sts") as client:
        assert (await client.get_caller_identity())["Account"] == "123456789012"


async def test_a_lag_of_real_time_is_as_long_at_any_speed() -> None:
    now = 0.0
    faults = Faults(list_lag_s=2.0, list_lag_real_s=10.0)
    async with Simulator(fleet=FLEET, faults=faults, speed=50, settle_scale=0, clock=lambda: now) as simulator:
        shard = simulator._world.shard(simulator.account_id, simulator.region)

        def in_list() -> set[object]:
            return {each["BatchSize"] for each in shard.listing(now)[0] if each["UUID"] == UUID}

        before = in_list()
        simulator.change_behind(UUID, BatchSize=7)
        now = 50 * 10.0 + 1.0
        assert (in_list(), simulator.get(UUID)["BatchSize"]) == (before, 7)
        now = 50 * 10.0 + 2.0
        assert in_list() == {7}
