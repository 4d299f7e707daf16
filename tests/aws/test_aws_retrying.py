import random
from collections.abc import Iterable
from typing import Any

import pytest
from aws_hand_clock import HastyClock
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.aws.retrying import Treatment, backoff_s, retrying, treatment_of
from bulk_esm.errors import AccessError, ServiceError


class Longest(random.Random):
    """Jitter that always draws the upper bound."""

    def uniform(self, _a: float, b: float) -> float:
        return b


class Call:
    """A call that fails in the given ways, then succeeds."""

    def __init__(self, failures: Iterable[Exception]) -> None:
        self.failures = list(failures)
        self.attempts = 0
        self.hasty = HastyClock()

    async def run(self, **policy: Any) -> str:
        defaults: dict[str, Any] = {
            "may_repeat": lambda _: True,
            "base_s": 1.0,
            "jitter": Longest(),
            "sleep": self.hasty.clock.sleep,
        }
        async for attempt in retrying(**(defaults | policy)):
            with attempt:
                self.attempts += 1
                if self.failures:
                    raise self.failures.pop(0)
                return "done"
        raise AssertionError


def error(code: str, status: int = 400) -> ServiceError:
    return ServiceError(code=code, message="", status=status)


THROTTLE = error("TooManyRequestsException", 429)
UNCONNECTED = ServiceError(code="EndpointConnectionError", message="", sent=False)
BROKEN = error("ServiceException", 500)
CONFLICT = error("ResourceConflictException", 409)


@pytest.mark.parametrize(
    ("code", "status", "treatment"),
    [
        ("TooManyRequestsException", 429, Treatment.THROTTLED),
        ("ThrottlingException", 400, Treatment.THROTTLED),
        ("Throttling", 400, Treatment.THROTTLED),
        ("ThrottledException", 400, Treatment.THROTTLED),
        ("RequestThrottled", 400, Treatment.THROTTLED),
        ("RequestThrottledException", 400, Treatment.THROTTLED),
        ("RequestLimitExceeded", 503, Treatment.THROTTLED),
        ("SomethingNew", 429, Treatment.THROTTLED),
        ("ServiceException", 500, Treatment.TRANSIENT),
        ("Unknown", 502, Treatment.TRANSIENT),
        ("SlowDown", 503, Treatment.TRANSIENT),
        ("Unknown", 504, Treatment.TRANSIENT),
        ("RequestTimeout", 408, Treatment.TRANSIENT),
        ("ConnectionClosedError", 0, Treatment.TRANSIENT),
        ("ReadTimeoutError", 0, Treatment.TRANSIENT),
        ("ResourceInUseException", 400, Treatment.IN_USE),
        ("ResourceConflictException", 409, Treatment.FINAL),
        ("SomethingNew", 409, Treatment.FINAL),
        ("AccessDeniedException", 403, Treatment.DENIED),
        ("ExpiredTokenException", 403, Treatment.DENIED),
        ("ExpiredToken", 400, Treatment.DENIED),
        ("RequestExpired", 400, Treatment.DENIED),
        ("UnrecognizedClientException", 400, Treatment.DENIED),
        ("InvalidClientTokenId", 400, Treatment.DENIED),
        ("InvalidSignatureException", 403, Treatment.DENIED),
        ("Unauthorized", 401, Treatment.DENIED),
        ("InvalidParameterValueException", 400, Treatment.FINAL),
        ("ValidationException", 400, Treatment.FINAL),
        ("ResourceNotFoundException", 404, Treatment.FINAL),
        ("SomethingNew", 418, Treatment.FINAL),
    ],
)
def test_the_table(code: str, status: int, treatment: Treatment) -> None:
    assert treatment_of(error(code, status)) is treatment


@pytest.mark.parametrize(
    ("failure", "attempts"),
    [
        (BROKEN, 8),
        (CONFLICT, 1),
        (UNCONNECTED, 8),
        (error("ResourceInUseException"), 1),
        (error("ValidationException"), 1),
        (error("ExpiredTokenException", 403), 1),
        (AccessError("refused"), 1),
        (ValueError("a bug"), 1),
    ],
)
async def test_how_often_each_is_tried(failure: Exception, attempts: int) -> None:
    call = Call([failure] * 1000)
    with pytest.raises(type(failure)) as caught:
        await call.run()
    assert caught.value is failure
    assert call.attempts == attempts
    mended = Call([failure] * (attempts - 1))
    assert await mended.run() == "done"


async def test_a_throttle_only_delays_and_the_pacer_is_what_waits() -> None:
    call = Call([THROTTLE] * 500)
    assert await call.run() == "done"
    assert call.hasty.time == 0


async def test_a_connection_is_waited_for_as_long_as_the_call_has_time() -> None:
    call = Call([UNCONNECTED] * 500)
    assert await call.run(out_of_time=lambda: False) == "done"
    late = Call([UNCONNECTED] * 500)
    with pytest.raises(ServiceError):
        await late.run(out_of_time=lambda: late.hasty.time > 120)
    assert 120 < late.hasty.time <= 140


async def test_throttles_use_up_no_attempts_of_other_errors() -> None:
    call = Call([BROKEN, *[THROTTLE] * 20] * 7)
    assert await call.run() == "done"
    assert call.attempts == 7 * 21 + 1


async def test_the_longest_wait_doubles_up_to_a_limit() -> None:
    call = Call([BROKEN] * 7)
    await call.run()
    assert call.hasty.sleeps == [1, 2, 4, 8, 16, 20, 20]


async def test_throttles_do_not_lengthen_the_waits_of_other_errors() -> None:
    call = Call([BROKEN, THROTTLE, BROKEN, THROTTLE])
    await call.run()
    assert call.hasty.sleeps == [1, 0, 2, 0]


@given(attempt=st.integers(1, 100), base_s=st.floats(0.001, 100), seed=st.integers())
def test_jitter_is_full_and_within_bounds(attempt: int, base_s: float, seed: int) -> None:
    jitter = random.Random(seed)  # noqa: S311 - jitter is no secret
    drawn = backoff_s(attempt, base_s=base_s, jitter=jitter)
    assert 0 <= drawn <= min(20, base_s * 2 ** (attempt - 1))


def test_jitter_spreads_over_the_whole_wait() -> None:
    jitter = random.Random(1)  # noqa: S311 - likewise
    drawn = [backoff_s(3, base_s=1, jitter=jitter) for _ in range(1000)]
    assert min(drawn) < 0.1
    assert max(drawn) > 3.9


@pytest.mark.parametrize("failure", [THROTTLE, BROKEN])
async def test_the_deadline_ends_what_would_be_retried(failure: ServiceError) -> None:
    call = Call([failure] * 1000)
    with pytest.raises(ServiceError) as caught:
        await call.run(out_of_time=lambda: call.attempts >= 3)
    assert caught.value is failure
    assert call.attempts == 3


async def test_what_may_not_be_repeated_is_not() -> None:
    call = Call([THROTTLE, BROKEN, BROKEN])
    with pytest.raises(ServiceError) as caught:
        await call.run(may_repeat=lambda error: error is THROTTLE)
    assert caught.value is BROKEN
    assert call.attempts == 2
