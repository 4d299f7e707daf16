"""What only moto, or a proxy before a control plane, answers; and mappings that go while we work on them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from moto_account import Fleet, MotoAccount, into

from bulk_esm import BulkEsm, Change, Outcome, Result, RunStatus, Selection, connect

pytest_plugins = ("moto_fixtures",)

FAST = 2_000
PAUSE = Change({"Enabled": False})
Forward = Callable[[], Awaitable[web.Response]]
Handler = Callable[[web.Request, Forward], Awaitable[web.Response]]


@asynccontextmanager
async def in_front_of(moto: MotoAccount, handler: Handler, runs_dir: Path) -> AsyncIterator[BulkEsm]:
    """Connect to moto through a proxy, in which `handler` answers or asks moto to."""
    async with aiohttp.ClientSession(moto.endpoint_url) as to_moto:

        async def handle(request: web.Request) -> web.Response:
            async def forward() -> web.Response:
                headers = {name: value for name, value in request.headers.items() if name != "Host"}
                async with to_moto.request(
                    request.method, request.rel_url, headers=headers, data=await request.read()
                ) as answer:
                    error_type = answer.headers.get("x-amzn-errortype")
                    return web.Response(
                        status=answer.status,
                        body=await answer.read(),
                        headers={"x-amzn-errortype": error_type} if error_type else None,
                    )

            return await handler(request, forward)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        async with (
            TestServer(app) as front,
            connect(
                endpoint_url=str(front.make_url("")), max_per_second=FAST, timeout_s=300, runs_dir=runs_dir
            ) as bulk,
        ):
            yield bulk


async def pause(bulk: BulkEsm, uuids: set[str], gone: Callable[[], None]) -> dict[str, Result]:
    """Plan, let something happen, and carry the plan out."""
    results: list[Result] = []
    plan = await bulk.plan(Selection(uuids=frozenset(uuids)), PAUSE)
    gone()
    record = await bulk.apply(plan, observers=[into(results)])
    assert record.status is RunStatus.FINISHED
    assert len(results) == len(uuids)
    return {result.uuid: result for result in results}


async def test_a_mapping_deleted_after_it_was_planned(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    # Lambda answers the update with ResourceNotFoundException; moto with 200 and an empty object, or 404 and one.
    results = await pause(bulk, {fleet.queue, fleet.fifo}, lambda: moto.delete(fleet.queue))
    assert results[fleet.queue].outcome in {Outcome.FAILED, Outcome.CONFLICT}
    assert results[fleet.fifo].outcome is Outcome.UPDATED
    assert moto.get(fleet.fifo, "State") == "Disabled"


@pytest.mark.parametrize(("status", "body"), [(200, "{}"), (404, "{}"), (404, "<h1>Not Found</h1>")])
async def test_an_update_of_an_unknown_uuid_however_it_is_answered(
    moto: MotoAccount, fleet: Fleet, tmp_path: Path, status: int, body: str
) -> None:
    async def answer(request: web.Request, forward: Forward) -> web.Response:
        if request.method == "PUT" and request.path.endswith(fleet.queue):
            return web.Response(status=status, text=body)
        return await forward()

    async with in_front_of(moto, answer, tmp_path) as bulk:
        results = await pause(bulk, {fleet.queue, fleet.fifo}, lambda: None)
    gone = results[fleet.queue]
    assert gone.outcome in {Outcome.FAILED, Outcome.CONFLICT}
    assert gone.error
    assert gone.error.code != "InternalError"
    assert gone.update_calls == 1
    assert results[fleet.fifo].outcome is Outcome.UPDATED


async def test_a_mapping_deleted_after_its_update_was_accepted(moto: MotoAccount, fleet: Fleet, tmp_path: Path) -> None:
    async def answer(request: web.Request, forward: Forward) -> web.Response:
        accepted = await forward()
        if request.method == "PUT" and request.path.endswith(fleet.queue):
            moto.delete(fleet.queue)
        return accepted

    async with in_front_of(moto, answer, tmp_path) as bulk:
        results = await pause(bulk, {fleet.queue, fleet.fifo}, lambda: None)
    assert results[fleet.queue].outcome is Outcome.CONFLICT
    assert results[fleet.fifo].outcome is Outcome.UPDATED


async def test_a_mapping_enabled_again_by_someone_after_its_update_was_accepted(
    moto: MotoAccount, fleet: Fleet, tmp_path: Path
) -> None:
    async def answer(request: web.Request, forward: Forward) -> web.Response:
        accepted = await forward()
        if request.method == "PUT":
            moto.update(fleet.queue, Enabled=True)
        return accepted

    async with in_front_of(moto, answer, tmp_path) as bulk:
        results = await pause(bulk, {fleet.queue}, lambda: None)
    assert results[fleet.queue].outcome is Outcome.FAILED
    assert results[fleet.queue].update_calls == 1


@pytest.mark.parametrize("applied_first", [False, True])
async def test_a_page_of_html_in_place_of_an_answer(
    moto: MotoAccount, fleet: Fleet, tmp_path: Path, *, applied_first: bool
) -> None:
    # moto answers like this where its own code fails, before or after the update is applied.
    failed: set[str] = set()

    async def answer(request: web.Request, forward: Forward) -> web.Response:
        if request.path in failed or request.method != "PUT":
            return await forward()
        failed.add(request.path)
        if applied_first:
            await forward()
        return web.Response(status=500, text="<!doctype html><h1>Internal Server Error</h1>", content_type="text/html")

    async with in_front_of(moto, answer, tmp_path) as bulk:
        results = await pause(bulk, fleet.enabled, lambda: None)
    assert {result.outcome for result in results.values()} == {Outcome.UPDATED}
    # What had arrived was not sent again.
    assert {result.update_calls for result in results.values()} == {1 if applied_first else 2}
    assert set(moto.states().values()) == {"Disabled"}


async def test_a_list_that_fails_for_a_moment(moto: MotoAccount, fleet: Fleet, tmp_path: Path) -> None:
    answers = iter([500, 503, 429])

    async def answer(request: web.Request, forward: Forward) -> web.Response:
        status = next(answers, None)
        return web.Response(status=status, text="not now") if status else await forward()

    async with in_front_of(moto, answer, tmp_path) as bulk:
        inventory = await bulk.list(Selection(all=True))
        assert bulk.home.control_plane.request_counts()["throttled"] == 1
    assert {mapping.uuid for mapping in inventory.mappings} == fleet.everything
