"""The least server that a fleet can be paused against: no quota, all settles at once, nothing is checked.

    python benchmarks/fleet_stub.py --shards 40 --mappings 500 --notes notes.json

It answers List, Get, UpdateEventSourceMapping and AssumeRole from bytes that were made beforehand, and takes about a
tenth of the CPU that a request costs its caller: where the simulator would be what is measured. Started like
`fleet_server.py`, and ends as it does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from fleet_places import fleet_in, shards_of
from fleet_server import raise_file_limit, sample_cpu

from bulk_esm.simulator.identity import assumed_role, form

_SIGNED_FOR: Final = re.compile(rb"Credential=(\d{12})/\d+/([\w-]+)/")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PAGE: Final = 100


class Mappings:
    """All mappings as JSON in two parts, between which their state goes."""

    def __init__(self, shards: int, mappings: int) -> None:
        self._listed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)  # by shard and what narrows
        self.state: dict[str, bytes] = {}
        self._rest: dict[str, bytes] = {}
        for shard in shards_of(shards):
            found = fleet_in(shard, mappings).mappings
            for mapping in found:
                for narrowed in ("", mapping["FunctionArn"], mapping.get("EventSourceArn", "none")):
                    self._listed[shard.name, narrowed].append(mapping["UUID"])
                changing = {"State": mapping.pop("State"), "LastModified": mapping.pop("LastModified")}
                self.state[mapping["UUID"]] = json.dumps(changing).encode()[:-1]
                self._rest[mapping["UUID"]] = b"," + json.dumps(mapping).encode()[1:]

    def one(self, uuid: str) -> bytes:
        return self.state[uuid] + self._rest[uuid]

    def update(self, uuid: str) -> bytes:
        """Pause a mapping: at rest at once, though the answer says that it is on its way, as Lambda's does."""
        now = time.time()
        self.state[uuid] = b'{"State":"Disabled","LastModified":%.3f' % now
        return b'{"State":"Disabling","LastModified":%.3f' % now + self._rest[uuid]

    def page(self, shard: str, narrowed: str, begin: int) -> bytes:
        """A page of List: of everything, or of the function or the source of this ARN."""
        uuids = self._listed[shard, narrowed]
        end = begin + _PAGE
        more = b',"NextMarker":"%d"' % end if end < len(uuids) else b""
        return b'{"EventSourceMappings":[%b]%b}' % (b",".join(map(self.one, uuids[begin:end])), more)


class Stub(asyncio.Protocol):
    """One connection, kept alive; a client waits for each answer before it asks again."""

    def __init__(self, mappings: Mappings) -> None:
        self._mappings = mappings
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, end, body = self._waiting.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0) or self._transport is None:
            return
        self._waiting = b""
        status, kind, answer = self._answer(head, body)
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nx-amzn-RequestId: stub\r\n\r\n%b"
            % (status, kind, len(answer), answer)
        )

    def _answer(self, head: bytes, body: bytes) -> tuple[bytes, bytes, bytes]:
        method, target, _ = head.split(b" ", 2)
        if method == b"POST":
            return b"200 OK", b"text/xml", assumed_role(form(body), "stub")
        parts = urlsplit(target.decode())
        uuid = parts.path.partition("/event-source-mappings")[2].strip("/")
        if method == b"PUT":
            return b"202 Accepted", b"application/json", self._mappings.update(uuid)
        if uuid:
            return b"200 OK", b"application/json", self._mappings.one(uuid)
        signed = _SIGNED_FOR.search(head)
        shard = b"-".join(signed.groups()).decode() if signed else ""
        asked = dict(parse_qsl(parts.query))
        narrowed = asked.get("FunctionName") or asked.get("EventSourceArn") or ""
        return b"200 OK", b"application/json", self._mappings.page(shard, narrowed, int(asked.get("Marker", 0)))


async def serve(options: argparse.Namespace) -> None:
    raise_file_limit()
    mappings = Mappings(options.shards, options.mappings)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stub(mappings), "127.0.0.1", 0, backlog=1000)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    gc.collect()
    gc.freeze()
    samples: list[tuple[float, float]] = []
    sampling = asyncio.create_task(sample_cpu(samples))
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "simulated",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    print(json.dumps({"environment": environment}), flush=True)
    await stopped.wait()
    sampling.cancel()
    server.close()
    options.notes.write_text(json.dumps({"asked_at": {}, "cpu": samples}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--mappings", type=int, required=True, help="of each shard")
    parser.add_argument("--notes", type=Path, required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
