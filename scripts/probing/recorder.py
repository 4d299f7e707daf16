"""What was sent and what came back, as it was on the wire: null members, headers and errors too."""

from __future__ import annotations

import copy
from typing import Any, Final, TypedDict

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from bulk_esm.clock import Clock

HEADERS: Final = ("content-type", "date", "retry-after", "x-amzn-errortype", "x-amzn-requestid")


class Exchange(TypedDict):
    """A line of the recording: a request and its answer.

    `mapping` is the UUID of the mapping that is probed, `step` what it was sent for, `status` 0 where no answer came,
    which `error` then names; times are seconds since the epoch.
    """

    mapping: str
    step: str
    operation: str
    parameters: dict[str, Any]
    sent_at: float
    received_at: float
    status: int
    headers: dict[str, str]
    body: Any
    error: str | None


class Recorder:
    """Listens to the events of botocore. Requests come one after another.

    Attributes:
        lines: what was recorded so far: exchanges, and what was skipped.
    """

    def __init__(self, clock: Clock) -> None:
        self.lines: list[Any] = []
        self._clock = clock
        self._mapping = self._step = ""
        self._parameters: dict[str, Any] = {}
        self._sent_at = 0.0

    def attach(self, session: AioSession) -> None:
        """Listen to all Lambda clients that the session will make, and let them send what the API's model forbids."""
        session.set_default_client_config(AioConfig(parameter_validation=False))  # for how Lambda itself refuses it
        session.register("before-parameter-build.lambda", self._building)
        session.register("before-send.lambda", self._sending)
        session.register("response-received.lambda", self._received)

    def about(self, mapping: str, step: str) -> None:
        """Say what the next requests are for."""
        self._mapping, self._step = mapping, step

    def skipped(self, mapping: str, step: str, reason: str) -> None:
        """Note a step that was not taken."""
        self.lines.append({"mapping": mapping, "step": step, "skipped": reason})

    def _building(self, params: dict[str, Any], **_: Any) -> None:
        self._parameters = copy.deepcopy(params)

    def _sending(self, **_: Any) -> None:
        self._sent_at = self._clock.now().timestamp()

    def _received(
        self, response_dict: dict[str, Any] | None, exception: Exception | None, event_name: str, **_: Any
    ) -> None:
        # A web page in place of an answer is an error by the time it comes here, and has its status.
        answer = response_dict or {"status_code": getattr(exception, "status", 0), "headers": {}, "body": b""}
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        exchange = Exchange(
            mapping=self._mapping,
            step=self._step,
            operation=event_name.rpartition(".")[2],
            parameters=self._parameters,
            sent_at=round(self._sent_at, 3),
            received_at=round(self._clock.now().timestamp(), 3),
            status=answer["status_code"],
            headers={name: headers[name] for name in HEADERS if name in headers},
            body=_json(answer["body"]),
            error=type(exception).__name__ if exception is not None and response_dict is None else None,
        )
        self.lines.append(exchange)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        return {"not_json": body[:2000].decode(errors="replace")}
