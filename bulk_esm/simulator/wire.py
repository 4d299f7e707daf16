"""How an answer goes out: late, in drips, or not at all."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from bulk_esm.simulator.api import Answer


async def sent(done: Answer, request: web.BaseRequest) -> web.StreamResponse:
    """Send an answer.

    Args:
        done: the answer.
        request: what it answers.
    """
    if done.delay_s:
        await asyncio.sleep(done.delay_s)
    if done.cut and request.transport is not None:
        request.transport.abort()  # what is returned below then goes nowhere
    if not done.drip_s:
        return web.Response(status=done.status or 500, headers=done.headers, body=done.body)
    dripping = web.StreamResponse(status=done.status, headers=done.headers)
    dripping.content_length = len(done.body)
    with suppress(ConnectionError):  # whoever asked has had enough
        await dripping.prepare(request)
        for place in range(len(done.body)):
            await asyncio.sleep(done.drip_s)
            await dripping.write(done.body[place : place + 1])
    return dripping
