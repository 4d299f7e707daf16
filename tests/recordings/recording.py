"""Reads what scripts/probe recorded, from AWS or from the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from probing.steps import IN_TRANSITION

from bulk_esm.errors import ServiceError
from bulk_esm.model.mapping import EventSourceMapping

LIST = "ListEventSourceMappings"
GET = "GetEventSourceMapping"
UPDATE = "UpdateEventSourceMapping"


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping as the header names it."""

    mapping: str
    source_type: str
    State: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    recording: int
    version: str
    botocore: str
    date: str
    region: str
    endpoint: str
    mappings: list[Probed]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request and its answer; see `probing.recorder.Exchange`. A step that was skipped only says why."""

    mapping: str
    step: str
    operation: str = ""
    parameters: dict[str, Any] = {}
    sent_at: float = 0.0
    received_at: float = 0.0
    status: int = 0
    headers: dict[str, str] = {}
    body: Any = None
    error: str | None = None
    skipped: str = ""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refusal(self) -> ServiceError | None:
        """The answer as the client would raise it; None for success, and where there was no answer."""
        if self.status < 400:
            return None
        body = self.body or {}
        return ServiceError(
            code=self.headers.get("x-amzn-errortype", "Unknown").partition(":")[0],
            message=body.get("message") or body.get("Message") or "",
            status=self.status,
        )

    @property
    def shown(self) -> list[EventSourceMapping]:
        """The mappings in the answer."""
        if not self.succeeded:
            return []
        return [EventSourceMapping(found) for found in self.body.get("EventSourceMappings", [self.body])]

    @property
    def picture(self) -> EventSourceMapping | None:
        """The mapping that is probed, if the answer shows it."""
        return next((found for found in self.shown if found.uuid == self.mapping), None)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of a mapping, and whether Get showed it, which the engine trusts more than List."""

    picture: EventSourceMapping
    by_get: bool


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted update with what was seen before and after it.

    Attributes:
        before: the mapping as Get showed it last before.
        looks: all looks at it from the 202 until the next update was accepted, oldest first.
        settled: the last that Get showed of them, if that was at rest: the truth.
    """

    exchange: Exchange
    before: EventSourceMapping
    looks: list[Look]
    settled: EventSourceMapping | None

    @property
    def request(self) -> dict[str, Any]:
        return {name: value for name, value in self.exchange.parameters.items() if name != "UUID"}

    @property
    def answer(self) -> EventSourceMapping:
        """The 202."""
        return EventSourceMapping(self.exchange.body)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A file that scripts/probe wrote."""

    header: Header
    exchanges: list[Exchange]

    @classmethod
    def load(cls, path: Path) -> Recording:
        first, *others = path.read_bytes().splitlines()
        return cls(
            header=msgspec.json.decode(first, type=Header),
            exchanges=[msgspec.json.decode(line, type=Exchange) for line in others],
        )

    @property
    def pictures(self) -> Iterator[EventSourceMapping]:
        """Every mapping in every answer."""
        for exchange in self.exchanges:
            yield from exchange.shown

    @property
    def refusals(self) -> Iterator[tuple[Exchange, ServiceError]]:
        for exchange in self.exchanges:
            if error := exchange.refusal:
                yield exchange, error

    @property
    def accepted(self) -> Iterator[Accepted]:
        """All accepted updates; those sent into a transition, if accepted, only end what was before them."""
        for probed in self.header.mappings:
            of_mapping = [exchange for exchange in self.exchanges if exchange.mapping == probed.mapping]
            starts = [number for number, one in enumerate(of_mapping) if one.operation == UPDATE and one.succeeded]
            for start, end in zip(starts, [*starts[1:], None], strict=True):
                update = of_mapping[start]
                before = _last_get(of_mapping[:start])
                if before is None or update.step.endswith(IN_TRANSITION):
                    continue
                after = of_mapping[start + 1 : end]
                settled = _last_get(after)
                yield Accepted(
                    exchange=update,
                    before=before,
                    looks=[
                        Look(picture=picture, by_get=one.operation == GET) for one in after if (picture := one.picture)
                    ],
                    settled=settled if settled and settled.at_rest else None,
                )


def _last_get(exchanges: list[Exchange]) -> EventSourceMapping | None:
    return next((found for one in reversed(exchanges) if one.operation == GET and (found := one.picture)), None)
