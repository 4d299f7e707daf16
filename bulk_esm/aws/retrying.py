"""The retry policy: one table of error to treatment, carried out by tenacity.

botocore's own retries are off, as they know neither our bucket nor what may be sent twice. Full jitter keeps callers
that failed together from coming back together.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import anyio
import tenacity

from bulk_esm.aws.barriers import PAGE, PROXIED, UNTRUSTED
from bulk_esm.errors import ServiceError


class Treatment(StrEnum):
    """What is done about an error."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    UNCONNECTED = "unconnected"  # nothing was sent, as no connection came
    BARRED = "barred"  # by what no waiting removes, before Lambda has had a say
    IN_USE = "in use"
    DENIED = "denied"
    FINAL = "final"


_BY_CODE: Final[dict[str, Treatment]] = {
    # Two forms of throttling are known for Lambda's control plane (F§1.2); the others are botocore's own list.
    "TooManyRequestsException": Treatment.THROTTLED,
    "ThrottlingException": Treatment.THROTTLED,
    "Throttling": Treatment.THROTTLED,
    "ThrottledException": Treatment.THROTTLED,
    "RequestThrottled": Treatment.THROTTLED,
    "RequestThrottledException": Treatment.THROTTLED,
    "RequestLimitExceeded": Treatment.THROTTLED,
    "ResourceInUseException": Treatment.IN_USE,
    "ResourceConflictException": Treatment.FINAL,  # another mapping has this source and function: it stays so (F§0.2)
    "ExpiredToken": Treatment.DENIED,
    "ExpiredTokenException": Treatment.DENIED,
    "UnrecognizedClientException": Treatment.DENIED,
    "InvalidClientTokenId": Treatment.DENIED,
    "RequestExpired": Treatment.DENIED,
    PROXIED: Treatment.BARRED,
    UNTRUSTED: Treatment.BARRED,
    PAGE: Treatment.BARRED,
}
_BY_STATUS: Final[dict[int, Treatment]] = {
    401: Treatment.DENIED,
    403: Treatment.DENIED,
    408: Treatment.TRANSIENT,
    429: Treatment.THROTTLED,
}
_MOST_ATTEMPTS: Final[dict[Treatment, float]] = {
    Treatment.THROTTLED: float("inf"),  # a throttle only ever delays
    Treatment.TRANSIENT: 8,
    Treatment.UNCONNECTED: 8,
}
# The network may be away for minutes: what has a time to end by is tried until then.
_MOST_ATTEMPTS_UNTIL_ITS_TIME: Final[dict[Treatment, float]] = {**_MOST_ATTEMPTS, Treatment.UNCONNECTED: float("inf")}
_LONGEST_WAIT_S: Final = 20.0


def treatment_of(error: ServiceError) -> Treatment:
    """Look an error up in the table.

    Args:
        error: an answer of the control plane, or the lack of one.

    Returns:
        The treatment by code, else by HTTP status; no answer at all and all of 5xx are transient, unless no connection
        came at all; the rest is final.
    """
    if (by_code := _BY_CODE.get(error.code)) is Treatment.BARRED:
        return by_code
    if error.status == 0 and not error.sent:
        return Treatment.UNCONNECTED
    found = by_code or _BY_STATUS.get(error.status)
    if found is not None:
        return found
    return Treatment.TRANSIENT if error.status == 0 or error.status >= 500 else Treatment.FINAL  # noqa: PLR2004 - HTTP


def backoff_s(attempt: int, *, base_s: float, jitter: random.Random) -> float:
    """Full jitter: anything from nothing to the doubled wait.

    Args:
        attempt: how many attempts have failed, from 1.
        base_s: the longest wait after the first, in seconds.
        jitter: where the randomness comes from.
    """
    return jitter.uniform(0, min(_LONGEST_WAIT_S, base_s * 2 ** (attempt - 1)))


class _Attempts:
    """The failures of one call by treatment: throttles do not use up the attempts of anything else."""

    def __init__(self, base_s: float, jitter: random.Random, out_of_time: Callable[[], bool] | None) -> None:
        self._failed: Counter[Treatment] = Counter()
        self._base_s = base_s
        self._jitter = jitter
        self._out_of_time = out_of_time or (lambda: False)
        self._most = _MOST_ATTEMPTS_UNTIL_ITS_TIME if out_of_time else _MOST_ATTEMPTS

    def failed(self, state: tenacity.RetryCallState) -> None:
        self._failed[_treatment(state)] += 1

    def stop(self, state: tenacity.RetryCallState) -> bool:
        treatment = _treatment(state)
        return self._failed[treatment] >= self._most[treatment] or self._out_of_time()

    def wait(self, state: tenacity.RetryCallState) -> float:
        treatment = _treatment(state)
        if treatment is Treatment.THROTTLED:
            return 0.0  # the pacer is what waits: it has slowed down, and this call goes to the end of its line
        return backoff_s(self._failed[treatment], base_s=self._base_s, jitter=self._jitter)


def _treatment(state: tenacity.RetryCallState) -> Treatment:
    error = state.outcome.exception() if state.outcome else None
    return treatment_of(error) if isinstance(error, ServiceError) else Treatment.FINAL


def retrying(
    *,
    may_repeat: Callable[[ServiceError], bool],
    base_s: float,
    jitter: random.Random,
    out_of_time: Callable[[], bool] | None = None,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> tenacity.AsyncRetrying:
    """The policy for one call.

    Args:
        may_repeat: whether this call may be sent again after an error of a retried treatment.
        base_s: the longest wait after the first failure, in seconds.
        jitter: where the randomness comes from.
        out_of_time: whether to give up on what would be retried for ever; None if the call has no time to end by, and
            then a connection that does not come is tried as often as a transient error.
        sleep: waits for so many seconds.
    """
    attempts = _Attempts(base_s, jitter, out_of_time)

    def is_retried(error: BaseException) -> bool:
        return isinstance(error, ServiceError) and treatment_of(error) in _MOST_ATTEMPTS and may_repeat(error)

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(is_retried),
        after=attempts.failed,  # before `wait` and `stop`, whichever of the two tenacity asks first
        stop=attempts.stop,
        wait=attempts.wait,
        sleep=sleep,
        reraise=True,
    )
