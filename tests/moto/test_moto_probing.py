"""scripts/probe against a control plane that we did not write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from moto_account import REGION, Fleet, MotoAccount
from probing.main import parser, probe
from probing.steps import differences
from probing_world import VirtualTime, lines_of

from bulk_esm.model.mapping import EventSourceMapping

pytest_plugins = ("moto_fixtures",)


@asynccontextmanager
async def failing_at(moto: MotoAccount, number: int) -> AsyncIterator[str]:
    """A way to moto on which the update of that number, and the two after it, are answered 503; its URL."""
    updates = 0
    async with aiohttp.ClientSession(moto.endpoint_url) as to_moto:

        async def handle(request: web.Request) -> web.Response:
            nonlocal updates
            updates += request.method == "PUT"
            if request.method == "PUT" and number <= updates < number + 3:
                return web.Response(status=503, text="not now")
            headers = {name: value for name, value in request.headers.items() if name != "Host"}
            async with to_moto.request(
                request.method, request.rel_url, headers=headers, data=await request.read()
            ) as answer:
                return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        async with TestServer(app) as front:
            yield str(front.make_url(""))


async def probed(endpoint_url: str, output: Path, uuids: set[str], *flags: str) -> tuple[int, list[str]]:
    said: list[str] = []
    words = ["--yes-this-costs-requests", "--region", REGION, "--endpoint-url", endpoint_url, "--output", str(output)]
    arguments = parser().parse_args([*words, *flags, *sorted(uuids)])
    return await probe(arguments, clock=VirtualTime().clock, say=said.append), said


def changed(moto: MotoAccount, before: dict[str, dict[str, Any]]) -> list[str]:
    """What differs of any mapping."""
    now = moto.read()
    assert now.keys() == before.keys()
    return [
        difference
        for uuid, mapping in before.items()
        for difference in differences(EventSourceMapping(mapping), EventSourceMapping(now[uuid]))
    ]


async def test_everything_is_asked_and_put_back(moto: MotoAccount, fleet: Fleet, tmp_path: Path) -> None:
    before = moto.read()
    output = tmp_path / "recording.jsonl"
    code, said = await probed(moto.endpoint_url, output, fleet.everything - {fleet.fifo}, "--may-enable")
    assert not changed(moto, before)
    assert (code, [line for line in said if "stopped: " in line or "STILL TO DO" in line]) == (0, [])
    lines = lines_of(output)
    assert len(lines[0]["mappings"]) == 5
    flips = [one for one in lines[1:] if one["step"] == "flip" and one["operation"].startswith("Update")]
    assert len(flips) == 5
    assert not {name for name in ("orders", "billing", "ledger", "clicks", "stock") if f":{name}" in output.read_text()}


async def test_everything_is_put_back_where_moto_itself_fails(moto: MotoAccount, fleet: Fleet, tmp_path: Path) -> None:
    before = moto.read()
    output = tmp_path / "recording.jsonl"
    code, said = await probed(moto.endpoint_url, output, {fleet.fifo})  # BatchSize 11 breaks its code
    assert not changed(moto, before)
    assert (code, [line for line in said if "STILL TO DO" in line]) == (1, [])
    [failed] = [one for one in lines_of(output)[1:] if one.get("status") == 500]
    assert failed["step"] == "refused-batch-size-11"
    assert lines_of(output)[-1]["step"] == "restore"


@pytest.mark.parametrize("number", [1, 3, 7, 10])
async def test_everything_is_put_back_when_the_server_fails_halfway(
    moto: MotoAccount, fleet: Fleet, tmp_path: Path, number: int
) -> None:
    before = moto.read()
    output = tmp_path / "recording.jsonl"
    async with failing_at(moto, number) as endpoint_url:
        code, said = await probed(endpoint_url, output, {fleet.queue})
    assert not changed(moto, before)
    assert code == 1
    assert any("stopped: " in line for line in said)
    assert not any("STILL TO DO" in line for line in said)
    assert 503 in {one["status"] for one in lines_of(output)[1:] if "status" in one}
