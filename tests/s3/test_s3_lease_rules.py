"""What a look at a lock lets a taker do."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.aws.control_plane import LONGEST_UPDATE_S
from bulk_esm.errors import UsageError
from bulk_esm.store.s3.lease_rules import (
    LeaseSettings,
    LockHolder,
    LockRecord,
    LockState,
    Look,
    Refuse,
    Take,
    Watch,
    decide,
)

HOLDER = LockHolder(id="a", user="ann", host="box", pid=1, command="pause", started_at="2026-01-02T03:04:05Z")
LEASES = st.floats(1.0, 3_600.0)
TIMES = st.floats(0.0, 1e7)


def look(record: LockRecord | None, *, etag: str = '"1"', age_s: float = 0.0, seen_at_s: float = 0.0) -> Look:
    return Look(record=record, etag=etag, age_s=age_s, seen_at_s=seen_at_s)


def held(lease_s: float = 60.0) -> LockRecord:
    return LockRecord.held(HOLDER, lease_s, ())


def test_what_is_not_there_is_taken_if_it_is_still_not_there() -> None:
    found = look(None, etag="")
    assert decide(found, first=found, wait=False) == Take("")


@given(age_s=TIMES, wait=st.booleans())
def test_what_was_released_is_taken_in_place_of_just_that(age_s: float, *, wait: bool) -> None:
    found = look(held().released(), age_s=age_s)
    assert decide(found, first=found, wait=wait) == Take('"1"')


@given(lease_s=LEASES, age_s=TIMES, first_at_s=TIMES, later_s=TIMES, wait=st.booleans())
def test_what_is_held_is_taken_only_after_its_own_lease(
    lease_s: float,
    age_s: float,
    first_at_s: float,
    later_s: float,
    *,
    wait: bool,
) -> None:
    record = held(lease_s)
    first = look(record, seen_at_s=first_at_s)
    found = look(record, age_s=age_s, seen_at_s=first_at_s + later_s)
    decision = decide(found, first=first, wait=wait)
    is_over = age_s >= lease_s + 2 or found.seen_at_s - first_at_s >= lease_s
    assert isinstance(decision, Take) is is_over
    if not is_over:
        assert isinstance(decision, Watch if wait else Refuse)
        assert not isinstance(decision, Take)
        assert decision.free_in_s is not None
        assert 0 < decision.free_in_s <= lease_s


@given(
    lease_s=LEASES,
    age_s=TIMES,
    later_s=TIMES,
    wait=st.booleans(),
    now=st.sampled_from(["held", "released", "gone", "unreadable"]),
)
def test_whatever_changed_under_a_taker_that_watches_is_not_taken(
    lease_s: float,
    age_s: float,
    later_s: float,
    *,
    wait: bool,
    now: str,
) -> None:
    first = look(held(lease_s))
    record = {"held": held(lease_s), "released": held(lease_s).released()}.get(now)
    found = look(record, etag="" if now == "gone" else '"2"', age_s=age_s, seen_at_s=later_s)
    assert decide(found, first=first, wait=wait) == Refuse(None)


@given(age_s=TIMES, wait=st.booleans())
def test_what_cannot_be_read_is_never_taken(age_s: float, *, wait: bool) -> None:
    found = look(None, age_s=age_s)
    assert decide(found, first=found, wait=wait) == Refuse(None)


def test_each_write_is_another() -> None:
    bodies = [msgspec.json.encode(record) for record in (held(), held(), held().released(), held().released())]
    assert len(set(bodies)) == 4


def test_the_last_runs_are_kept_the_newest_last() -> None:
    record = held()
    for number in range(30):
        record = LockRecord.held(msgspec.structs.replace(HOLDER, run=f"run-{number}"), 60.0, record.runs)
    assert record.runs == tuple(f"run-{number}" for number in range(10, 30))
    again = LockRecord.held(msgspec.structs.replace(HOLDER, run="run-15"), 60.0, record.runs)
    assert again.runs[-2:] == ("run-29", "run-15")
    assert len(again.runs) == 20
    assert LockRecord.held(HOLDER, 60.0, again.runs).runs == again.runs
    assert again.released().runs == again.runs
    assert again.released().state is LockState.RELEASED


def test_a_lock_is_of_one_holding_alone() -> None:
    assert held().is_of(HOLDER)
    assert not held().is_of(msgspec.structs.replace(HOLDER, id="b"))
    assert not held().released().is_of(HOLDER)


@pytest.mark.parametrize("lease", [b"0", b"-1", b"1e9", b'"60"', b"null"])
def test_a_lease_that_makes_no_sense_is_not_read(lease: bytes) -> None:
    body = msgspec.json.encode(held()).replace(b'"lease_s":60.0', b'"lease_s":' + lease)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=LockRecord)


def test_what_a_holder_says_of_itself_is_shown_without_what_a_terminal_obeys() -> None:
    said = str(msgspec.structs.replace(HOLDER, command="pa\x1b[2Juse", run="run\n1"))
    assert said == "pa[2Juse since 2026-01-02T03:04:05Z, process 1 of ann on box, run run1"


@pytest.mark.parametrize(
    "settings",
    [
        {"lease_s": 20.0},
        {"renew_every_s": 36.0},
        {"renew_every_s": 0.0},
        {"request_timeout_s": 60.0},
        {"request_timeout_s": -6.0},
        {"lease_s": 1e9},
        {"lease_s": float("nan")},
    ],
)
def test_a_lease_that_leaves_no_time_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="leaves no time"):
        LeaseSettings(**settings)


def test_what_is_sent_under_a_lease_has_ended_before_it_is_over() -> None:
    """The bound of one update is what a lease reckons with: see `LeaseSettings.margin_s`."""
    assert LeaseSettings().request_timeout_s >= LONGEST_UPDATE_S
