"""No two machines ever send under the same lock, whatever becomes of requests, clocks and processes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_play import KEY, Actor, Played, play, state_of
from s3_virtual import Fault, Kind, VirtualS3, run

HOUR = 3_600.0

faults = st.builds(Fault, kind=st.sampled_from(Kind), seconds=st.sampled_from([0.0, 6.0, 14.0, 50.0, 100.0]))
clocks = {"began_s": st.floats(0.0, 10_000 * HOUR), "rate": st.floats(0.98, 1.02)}
holders = st.builds(
    Actor,
    works_s=st.floats(1.0, 250.0),
    crashes=st.booleans(),
    frozen=st.lists(st.tuples(st.floats(0.0, 150.0), st.floats(1.0, 150.0)), max_size=1).map(tuple),
    # A silence at the end, so that others get it, and single faults before.
    faults=st.builds(
        lambda some, silent_from: some | {number: Fault(Kind.LOST) for number in range(silent_from, 200)},
        st.dictionaries(st.integers(2, 12), faults, max_size=6),
        st.integers(2, 40),
    ),
    **clocks,
)
takers = st.builds(
    Actor,
    starts_at=st.floats(0.0, 20.0),
    works_s=st.floats(1.0, 250.0),
    crashes=st.booleans(),
    waits=st.booleans(),
    tries=st.just(60),
    tries_every_s=st.floats(3.0, 12.0),
    faults=st.dictionaries(st.integers(0, 60), faults, max_size=12),
    **clocks,
)


def played(*scene: Actor, s3: VirtualS3 | None = None) -> Played:
    found: list[Played] = []

    async def main() -> None:
        found.append(await play(list(scene), s3))

    run(main)
    return found[0]


@settings(max_examples=60)
@given(holders, st.lists(takers, min_size=1, max_size=3))
def test_requests_of_two_are_never_on_their_way_at_once(holder: Actor, others: list[Actor]) -> None:
    s3 = VirtualS3()
    done = played(holder, *others, s3=s3)
    assert done.overlaps() == []
    # Nor is the lock ever lost to all: whoever waits gets it within a lease, once nobody renews it.
    assert len(played(Actor(waits=True, starts_at=10.0), s3=s3).holdings) == 1


def test_of_many_that_start_at_once_one_gets_it() -> None:
    done = played(*(Actor(began_s=number * HOUR, waits=number % 2 == 0) for number in range(8)))
    assert len(done.holdings) == 1
    assert len(done.refusals) == 7
    holder = done.holdings[0].actor
    assert all(f"of user{holder} on host{holder}" in refusal for _, _, refusal in done.refusals)


def test_a_lock_that_was_released_is_taken_at_once() -> None:
    done = played(Actor(works_s=10.0), Actor(starts_at=60.0))
    assert [holding.actor for holding in done.holdings] == [0, 1]
    assert done.holdings[1].begins_at < 61


@pytest.mark.parametrize("began_s", [0.0, 5 * HOUR, 9_000 * HOUR])
def test_who_waits_takes_over_from_the_dead_after_the_lease_and_not_before(began_s: float) -> None:
    done = played(Actor(works_s=10.0, crashes=True), Actor(starts_at=15.0, waits=True, began_s=began_s))
    assert [holding.actor for holding in done.holdings] == [0, 1]
    # The last renewal was at the beginning: watched from 15 on, it would be free at 75; by S3's clock it is at 62.
    assert 60 < done.holdings[1].begins_at < 66


def test_who_does_not_wait_is_told_how_long_it_takes() -> None:
    done = played(Actor(works_s=10.0, crashes=True), Actor(starts_at=40.0, tries=2, tries_every_s=25.0))
    (_, _, refusal) = done.refusals[0]
    assert "it renewed its lock 40 s ago" in refusal
    assert "free in 22 s at most" in refusal
    assert [holding.actor for holding in done.holdings] == [0, 1]


def test_who_waits_goes_when_the_holder_shows_that_it_lives() -> None:
    done = played(Actor(), Actor(starts_at=7.0, waits=True))
    assert [holding.actor for holding in done.holdings] == [0]
    ((number, at, refusal),) = done.refusals
    assert (number, at < 20) == (1, True)
    assert "and lives, for it renewed its lock" in refusal


def test_who_waits_goes_when_the_holder_ends_meanwhile() -> None:
    done = played(Actor(works_s=2.0), Actor(starts_at=20.0, waits=True))
    assert "has just ended" in done.refusals[0][2]


def test_a_holder_that_stood_still_sends_nothing_more_and_says_why() -> None:
    done = played(Actor(frozen=((10.0, 120.0),)), Actor(starts_at=30.0, waits=True))
    first, second = done.holdings
    assert (first.actor, second.actor) == (0, 1)
    assert first.ends_at < second.begins_at
    (reason,) = first.lost
    assert "was not renewed, as this process stood still" in reason
    assert reason.endswith("nothing more is sent")


def test_a_holder_that_cannot_renew_stops_in_time_and_says_why() -> None:
    silent = {number: Fault(Kind.LOST) for number in range(2, 200)}
    done = played(Actor(faults=silent, crashes=True), Actor(starts_at=20.0, waits=True))
    first, second = done.holdings
    assert first.ends_at < 60 < second.begins_at
    (reason,) = first.lost
    assert "could not be renewed in" in reason
    assert "for 35 s (TimeoutError: S3 did not take it in time)" in reason


@pytest.mark.parametrize("kind", [Kind.UNHEARD, Kind.LATE, Kind.LOST, Kind.REFUSED, Kind.SLOWLY_ANSWERED])
@pytest.mark.parametrize("number", range(1, 10))
def test_one_fault_costs_nobody_his_lock(kind: Kind, number: int) -> None:
    s3 = VirtualS3()
    done = played(Actor(faults={number: Fault(kind, 20.0)}), s3=s3)
    (holding,) = done.holdings
    assert holding.lost == []
    assert holding.ends_at > 100
    assert state_of(s3) == "released"


def test_a_lock_whose_object_was_removed_is_lost_at_once() -> None:
    s3, found = VirtualS3(), []

    async def main() -> None:
        async def remove() -> None:
            await asyncio.sleep(20.0)
            del s3.objects[KEY]

        _, done = await asyncio.gather(remove(), play([Actor()], s3))
        found.append(done)

    run(main)
    (holding,) = found[0].holdings
    assert holding.ends_at < 31 + 20
    assert "was removed meanwhile; nothing more is sent" in holding.lost[0]
    assert s3.objects == {}


@pytest.mark.parametrize("kind", [Kind.FROZEN_BEFORE, Kind.FROZEN_AFTER])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_lease_counts_from_before_a_write_was_sent(kind: Kind, number: int) -> None:
    # Where it counted from the answer, whoever stood still in between would go on beside the next.
    done = played(
        Actor(faults={number: Fault(kind, 200.0)}, works_s=400.0),
        Actor(starts_at=1.0, tries=100, tries_every_s=4.0, works_s=400.0),
    )
    assert done.overlaps() == []
    assert done.holdings[-1].actor == 1


def test_a_renewal_that_arrives_late_takes_nothing_from_the_next() -> None:
    late = {number: Fault(Kind.LATE, 90.0) for number in range(2, 200)}
    done = played(Actor(faults=late), Actor(starts_at=1.0, tries=100, tries_every_s=4.0, works_s=300.0))
    assert done.overlaps() == []
    assert [holding.lost for holding in done.holdings if holding.actor == 1] == [[]]


def test_a_renewal_that_is_recognised_counts_from_when_it_was_sent() -> None:
    # Sent at 15, applied, given up at 22, and found to be there by the next one, after which nothing gets through.
    slow = {2: Fault(Kind.SLOWLY_ANSWERED, 14.0), **{number: Fault(Kind.LOST) for number in range(6, 200)}}
    (holding,) = played(Actor(faults=slow)).holdings
    assert 15 + 34 < holding.ends_at - 20 < 15 + 36
