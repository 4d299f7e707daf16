"""What requests to a run come to, whatever there is of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.control import (
    NOTHING_ASKED,
    ControlAction,
    ControlRequest,
    ControlStatus,
    control_of,
    counting,
    name_after,
    stopped_reason,
)
from bulk_esm.model.records import Caller

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ACTIONS = get_args(ControlAction)


def asked(
    action: ControlAction, *, invocation: int = 1, rollback: bool = False, wave: int | None = None
) -> ControlRequest:
    by = Caller(user="alice", host="build-7")
    return ControlRequest(action=action, invocation=invocation, by=by, at="now", rollback=rollback, wave=wave)


REQUESTS = st.builds(
    asked,
    st.sampled_from(ACTIONS),
    invocation=st.integers(1, 3),
    rollback=st.booleans(),
    wave=st.none() | st.integers(1, 5),
)
CLOCKS = st.integers(-100_000, 100_000).map(lambda seconds: NOW + timedelta(seconds=seconds))


def named(requests: list[tuple[datetime, ControlRequest]]) -> dict[str, ControlRequest]:
    """Requests, one after another, by whoever has the clock that is given with each."""
    found: dict[str, ControlRequest] = {}
    for at, request in requests:
        found[name_after(found, at, "0a1b2c3d")] = request
    return found


@given(st.lists(st.tuples(CLOCKS, REQUESTS), max_size=12))
def test_they_come_in_the_order_in_which_they_were_asked_whatever_the_clocks_say(
    requests: list[tuple[datetime, ControlRequest]],
) -> None:
    found = named(requests)
    assert len(found) == len(requests)
    assert [found[name] for name in sorted(found)] == [request for _, request in requests]


@given(st.lists(st.tuples(CLOCKS, REQUESTS), max_size=12), st.integers(1, 3))
def test_what_they_come_to(requests: list[tuple[datetime, ControlRequest]], invocation: int) -> None:
    control = control_of(named(requests), invocation=invocation)
    in_order = [request for _, request in requests]

    last_go = max((at for at, one in enumerate(in_order) if one.action == "go"), default=-1)
    assert control.held is next((one for one in in_order[last_go + 1 :] if one.action == "hold"), None)
    assert control.approved == {one.wave for one in in_order if one.action == "approve" and one.wave}
    stops = [one for one in in_order if one.action == "stop" and one.invocation == invocation]
    assert control.stopped is (stops[0] if stops else None)
    assert control.puts_back == any(one.rollback for one in stops)


@given(st.dictionaries(st.text(), REQUESTS, max_size=8), st.integers(1, 3))
def test_names_that_are_none_do_no_harm(requests: dict[str, ControlRequest], invocation: int) -> None:
    control = control_of(requests, invocation=invocation)
    assert control.stopped is None or control.stopped.invocation == invocation


def test_a_stop_is_over_with_its_invocation_and_a_hold_and_an_approval_are_not() -> None:
    requests = {"1": asked("hold"), "2": asked("approve", wave=2), "3": asked("stop", rollback=True)}
    assert control_of(requests, invocation=1).stopped == requests["3"]
    after = control_of(requests, invocation=2)
    assert (after.stopped, after.puts_back) == (None, False)
    assert (after.held, after.approved) == (requests["1"], frozenset({2}))


def test_nothing() -> None:
    assert control_of({}, invocation=1) == NOTHING_ASKED


def test_who_is_named_however_long_or_unknown() -> None:
    assert stopped_reason(asked("stop")) == "stopped by alice@build-7"
    nobody = msgspec.structs.replace(asked("stop"), by=Caller(host="h" * 10_000))
    assert stopped_reason(nobody) == f"stopped by unknown@{'h' * 64}"


@given(st.lists(st.tuples(st.text(min_size=1), REQUESTS), max_size=4), st.none() | REQUESTS)
def test_a_status_travels(heard: list[tuple[str, ControlRequest]], held: ControlRequest | None) -> None:
    status = ControlStatus(invocation=1, heard=frozenset(name for name, _ in heard), held=held, awaits=2, done=3)
    assert msgspec.json.decode(msgspec.json.encode(status), type=ControlStatus) == status


@given(st.lists(st.tuples(CLOCKS, REQUESTS), max_size=12), st.sets(st.integers(0, 11)), st.integers(1, 3))
def test_what_came_too_late_counts_no_more_but_a_hold(
    requests: list[tuple[datetime, ControlRequest]], heeded: set[int], invocation: int
) -> None:
    found = named(requests)
    heard = {name for number, name in enumerate(sorted(found)) if number in heeded}
    left = counting(found, heard=heard, invocation=invocation)
    for name, request in found.items():
        assert (name in left) == (name in heard or request.action == "hold" or request.invocation == invocation)
    assert list(left.values()) == [found[name] for name in left]
