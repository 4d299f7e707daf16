"""A connection to the simulator, or to a server that answers as a test says, whatever the machine's own AWS set-up."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import botocore.loaders
from aiohttp import web

from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.clock import Clock
from bulk_esm.simulator import Simulator

MODELS = botocore.loaders.Loader()  # read once, and not for every test: that is most of what a connection costs
NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@asynccontextmanager
async def connected(
    simulator: Simulator, *, clock: Clock | None = None, max_per_second: float = 1000.0, **environment: str
) -> AsyncIterator[Connection]:
    with (
        patch.dict(os.environ, {**clean_environment(), **simulator.environment, **environment}, clear=True),
        patch("botocore.session.create_loader", lambda *_: MODELS),
    ):
        async with connect(ConnectionSettings(max_per_second=max_per_second), clock=clock) as connection:
            yield connection


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | NOWHERE


@asynccontextmanager
async def answering(handle: Callable[[web.BaseRequest], web.Response]) -> AsyncIterator[str]:
    """A server that answers every request alike; its URL."""

    async def handler(request: web.BaseRequest) -> web.Response:
        return handle(request)

    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def dripping() -> AsyncIterator[str]:
    """A server whose answers come a byte at a time and do not end; its URL."""
    over = asyncio.Event()

    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while not over.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.001)
        return response

    runner = web.ServerRunner(web.Server(drip), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        over.set()
        await runner.cleanup()


def requests_seen(simulator: Simulator) -> dict[str, int]:
    """The simulator's own count of requests, by kind."""
    report = simulator.report()
    return {kind: report.count(kind) for kind in ("list", "get", "update")}


def a_mapping(number: int = 0, **members: Any) -> dict[str, Any]:
    uuid = f"00000000-0000-4000-8000-{number:012}"
    return {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}",
        "FunctionArn": f"arn:aws:lambda:us-east-1:123456789012:function:f{number}",
        "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:queue-{number}",
        "State": "Enabled",
        "LastModified": 1_700_000_000.125,
        "BatchSize": 10,
        **members,
    }
