"""What happens in a run, as observers are told: plain records."""

from __future__ import annotations

import msgspec

from bulk_esm.model.control import ControlRequest
from bulk_esm.model.records import RunRecord
from bulk_esm.model.result import Result


class RunBegan(msgspec.Struct, frozen=True, tag="began"):
    """A run begins, or goes on; nothing has been sent since.

    Attributes:
        record: the run.
    """

    record: RunRecord


class WaveBegan(msgspec.Struct, frozen=True, kw_only=True, tag="wave"):
    """A wave begins.

    Attributes:
        wave: its number, from 1.
        waves: how many there are.
        updates: how many updates it has.
    """

    wave: int
    waves: int
    updates: int


class GateAnswered(msgspec.Struct, frozen=True, kw_only=True, tag="gate"):
    """A gate has answered.

    Attributes:
        gate: its name.
        wave: the wave that has ended, or that is under way, from 1; 0 before the first.
        stage: when it was asked: `before`, `during`, `between` or `bake`.
        step: what the run does now: `go`, `wait` or `halt`.
        reason: why it waits or halts, or goes on without an answer; None if all is well.
    """

    gate: str
    wave: int
    stage: str
    step: str
    reason: str | None = None


class MappingEnded(msgspec.Struct, frozen=True, tag="mapping"):
    """A mapping has its result, which is on disk.

    Attributes:
        result: the result.
    """

    result: Result


class ControlHeard(msgspec.Struct, frozen=True, tag="asked"):
    """A run heeds what somebody asked of it, or what still holds it as it is continued.

    Attributes:
        request: what.
    """

    request: ControlRequest


class RunEnded(msgspec.Struct, frozen=True, tag="ended"):
    """A run has ended.

    Attributes:
        record: the run, as it stands now.
    """

    record: RunRecord


RunEvent = RunBegan | WaveBegan | GateAnswered | MappingEnded | ControlHeard | RunEnded
