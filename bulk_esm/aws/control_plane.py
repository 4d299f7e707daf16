"""The one door to Lambda's control plane: every call paced, retried where it may be, and counted."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Literal

from bulk_esm.aws.answers import keep_as_sent
from bulk_esm.aws.errors import translated
from bulk_esm.aws.listing import Listing, checked
from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.permission import GetPermission
from bulk_esm.aws.regions import is_of_aws
from bulk_esm.aws.requests import leave_retries_to_us, name_host, resolve_once, send_as_given
from bulk_esm.aws.retrying import Treatment, backoff_s, retrying, treatment_of
from bulk_esm.clock import Clock
from bulk_esm.errors import DeniedError, ServiceError
from bulk_esm.model.census import PAGE_SIZE, Census
from bulk_esm.model.mapping import EventSourceMapping

if TYPE_CHECKING:
    from types_aiobotocore_lambda import LambdaClient

Kind = Literal["list", "get", "update"]
_ACTIONS: Final[dict[Kind, str]] = {
    "list": "lambda:ListEventSourceMappings",
    "get": "lambda:GetEventSourceMapping",
    "update": "lambda:UpdateEventSourceMapping",
}

_NOT_FOUND: Final = "ResourceNotFoundException"

# The first wait after a failure is that of so many requests, so that a control plane at 20 times speed is not waited
# for 20 times too long: half a second at 12 requests/s.
_BACKOFF_REQUESTS: Final = 6.0

# Real seconds, for one: the client's own timeout begins anew with each byte.
_LONGEST_ANSWER_S: Final = 90.0
# Locks between machines rest on it: what is sent under one has landed or failed by then (see `LeaseSettings`). Updates
# from far away took 0.5 s (F§0.2).
LONGEST_UPDATE_S: Final = 20.0


class ControlPlane:
    """Lambda's event source mapping API of one account and Region.

    Attributes:
        region: the Region.
        pacer: the bucket that every request passes.
        census: how many mappings there are, as far as List has shown; what the next List of all of them will cost.
        watch: called with each page of List.
        get_permission: whether Get is permitted, as far as was seen.
        requests: how many requests were sent, by kind and by what came of them (`ok`, `throttled`, `error`,
            `cancelled`).
    """

    def __init__(
        self,
        client: LambdaClient,
        *,
        region: str,
        pacer: Pacer,
        clock: Clock | None = None,
        jitter: random.Random | None = None,
        whose: str | None = None,
    ) -> None:
        """Wrap a client whose own retries are off.

        Args:
            client: an aiobotocore Lambda client.
            region: its Region.
            pacer: the bucket of this account and Region.
            clock: the time.
            jitter: where the randomness of the back-off comes from.
            whose: where the credentials come from; see `translated`.
        """
        self.region = region
        self.pacer = pacer
        self.census = Census()
        self.watch: Callable[[list[EventSourceMapping]], None] = lambda _: None
        self.get_permission = GetPermission()
        self.requests: Counter[tuple[str, str]] = Counter()
        self._whose = whose
        self._taken: dict[str, int] = {}
        self._client = client
        self._clock = clock or Clock()
        self._jitter = jitter or random.Random()  # noqa: S311 - jitter is no secret
        for operation in ("ListEventSourceMappings", "GetEventSourceMapping", "UpdateEventSourceMapping"):
            client.meta.events.register(f"before-parse.lambda.{operation}", keep_as_sent)
        send_as_given(client)
        name_host(client)
        leave_retries_to_us(client)
        resolve_once(client)

    @property
    def endpoint_url(self) -> str:
        """Where requests go."""
        return str(self._client.meta.endpoint_url)

    @property
    def is_aws(self) -> bool:
        """Whether requests go to AWS itself, and not to a simulator."""
        return is_of_aws(self.endpoint_url)

    async def list(
        self, *, function_name: str | None = None, event_source_arn: str | None = None
    ) -> AsyncGenerator[list[EventSourceMapping], None]:
        """List mappings, a page at a time.

        Args:
            function_name: only those of this function.
            event_source_arn: only those of this source.

        Yields:
            Up to 100 mappings. Pages are not a snapshot: a mapping may come twice (F§2).

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend, or a listing that does not end.
        """
        arguments: dict[str, Any] = {"MaxItems": PAGE_SIZE}
        if function_name:
            arguments["FunctionName"] = function_name
        if event_source_arn:
            arguments["EventSourceArn"] = event_source_arn
        seen, listing = Census(), Listing(self._clock.monotonic)

        async def ask() -> dict[str, Any]:
            asked_at = self._clock.monotonic()
            try:
                return checked(await self._client.list_event_source_mappings(**arguments))
            finally:
                listing.answered(asked_at)

        while True:
            page = listing.page(await self._call("list", ask))
            is_last = listing.marker is None
            seen.add(page)
            seen.complete = is_last
            counts_more = not self.census.complete and seen.total > self.census.total
            if not function_name and not event_source_arn and (is_last or counts_more):
                self.census = seen
            self.watch(page)
            yield page
            if is_last:
                return
            arguments["Marker"] = listing.marker

    async def account_id(self) -> str | None:
        """The account as its mappings name it, for one request at most; None if it has none.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        if self.census.account_id is None:
            async with aclosing(self.list()) as pages:
                async for _ in pages:
                    break
        return self.census.account_id

    async def get(self, uuid: str, *, deadline: float = float("inf")) -> EventSourceMapping:
        """Read one mapping.

        Args:
            uuid: the mapping.
            deadline: when to give up repeating, on the clock.

        Raises:
            AccessError: the credentials are refused.
            DeniedError: they may not read this mapping.
            ServiceError: the mapping does not exist, or an answer that retrying did not mend.
        """
        self.get_permission.check(uuid)
        try:
            answer = await self._call(
                "get", lambda: self._client.get_event_source_mapping(UUID=uuid), deadline=deadline
            )
        except DeniedError as error:
            self.get_permission.deny(uuid, error)
            raise
        except ServiceError as error:
            self.get_permission.granted |= error.code == _NOT_FOUND
            raise
        self.get_permission.granted = True
        return _mapping(answer)

    async def update(
        self,
        uuid: str,
        request: dict[str, Any],
        *,
        deadline: float = float("inf"),
        before_sending: Callable[[], None] = lambda: None,
        granted_at: float | None = None,
    ) -> EventSourceMapping:
        """Send one update; the answer is the mapping as Lambda shows it at acceptance, which proves nothing (F§3.2).

        What may have been applied is not sent again here: whoever called must look first.

        Args:
            uuid: the mapping.
            request: parameters of UpdateEventSourceMapping, without the UUID.
            deadline: when to give up repeating, on the clock.
            before_sending: called just before each time that the update goes out; what it raises keeps it from going.
            granted_at: the pacer's grant for the first time, if the caller has it already.

        Raises:
            AccessError: the credentials are refused.
            DeniedError: they may not update this mapping.
            ServiceError: refused, in use, or perhaps applied (`sent` is true and the error transient).
        """
        answer = await self._call(
            "update",
            lambda: self._client.update_event_source_mapping(UUID=uuid, **request),
            deadline=deadline,
            before_sending=before_sending,
            may_repeat=lambda error: treatment_of(error) is not Treatment.TRANSIENT or not error.sent,
            granted_at=granted_at,
        )
        return _mapping(answer)

    async def _call(
        self,
        kind: Kind,
        send: Callable[[], Awaitable[Any]],
        *,
        deadline: float = float("inf"),
        before_sending: Callable[[], None] = lambda: None,
        may_repeat: Callable[[ServiceError], bool] = lambda _: True,
        granted_at: float | None = None,
    ) -> dict[str, Any]:
        failed: list[ServiceError] = []

        async def send_once() -> dict[str, Any]:
            nonlocal granted_at
            if failed:
                raise failed.pop()
            grant, granted_at = granted_at, None
            if grant is None:
                grant = await self.pacer.acquire()
            before_sending()
            return await self._attempt(kind, send, grant)

        try:
            return await send_once()
        except ServiceError as error:
            failed.append(error)
        # The policy begins with the failure that it is for: to make one for each request would cost more than the rest
        # of this.
        policy = retrying(
            may_repeat=may_repeat,
            base_s=self._backoff_base_s,
            jitter=self._jitter,
            out_of_time=(lambda: self._clock.monotonic() >= deadline) if math.isfinite(deadline) else None,
            sleep=self._clock.sleep,
        )
        return await policy(send_once)

    async def _attempt(self, kind: Kind, send: Callable[[], Awaitable[Any]], granted_at: float) -> dict[str, Any]:
        outcome = "cancelled"  # as a look is that another has overtaken
        try:
            with translated(_ACTIONS[kind], whose=self._whose):
                longest_s = LONGEST_UPDATE_S if kind == "update" else _LONGEST_ANSWER_S
                async with asyncio.timeout(longest_s):  # at half the CPU of anyio's
                    answer: dict[str, Any] = await send()
            outcome = "ok"
            self.pacer.succeeded()
        except ServiceError as error:
            if treatment_of(error) is Treatment.THROTTLED:
                outcome = "throttled"
                self.pacer.throttled(granted_at, error.retry_after_s)
            else:
                # That a mapping is not there is an answer to whoever asks for it.
                outcome = "ok" if kind == "get" and error.code == _NOT_FOUND else "error"
            raise
        except Exception:
            outcome = "error"
            raise
        finally:
            self.requests[kind, outcome] += 1
        return answer

    def backoff_s(self, failures: int) -> float:
        """How long to wait after so many failures in a row, in seconds, with full jitter."""
        return backoff_s(failures, base_s=self._backoff_base_s, jitter=self._jitter)

    @property
    def _backoff_base_s(self) -> float:
        return _BACKOFF_REQUESTS / self.pacer.max_per_second

    def request_counts(self) -> dict[str, int]:
        """Requests so far by kind, then how many of them were throttled and how many failed otherwise."""
        counts: Counter[str] = Counter(dict.fromkeys((*_ACTIONS, "throttled", "errors"), 0))
        for (kind, outcome), count in self.requests.items():
            counts[kind] += count
            if outcome in {"throttled", "error"}:
                counts["throttled" if outcome == "throttled" else "errors"] += count
        return dict(counts)

    def new_request_counts(self) -> dict[str, int]:
        """Those since `take_request_counts` was last called."""
        return {kind: count - self._taken.get(kind, 0) for kind, count in self.request_counts().items()}

    def take_request_counts(self) -> dict[str, int]:
        """Those since this was last called, so that each request counts once."""
        new = self.new_request_counts()
        self._taken = self.request_counts()
        return new


def _mapping(answer: dict[str, Any]) -> EventSourceMapping:
    configuration = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    if not configuration.get("UUID"):
        # moto answers an update of an unknown UUID like this.
        raise ServiceError(
            code=_NOT_FOUND,
            message="The answer names no event source mapping.",
            status=404,
            request_id=answer.get("ResponseMetadata", {}).get("RequestId"),
        )
    return EventSourceMapping(configuration)
