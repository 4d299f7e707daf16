"""Which look is taken: properties of a pure function."""

import math
import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.engine.estimates import LIKELY_SETTLE_S, SettleTimes
from bulk_esm.engine.looks import FINDS_PER_REQUEST_BESIDE_UPDATES, Look, Pending, choose
from bulk_esm.model.census import Census
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.transitions import Transition, TransitionKind

NOW = 1000.0
SQS = Transition(SourceType.SQS, TransitionKind.DISABLE)
DOCUMENTDB = Transition(SourceType.DOCUMENTDB, TransitionKind.DISABLE)
TIMES = SettleTimes(max_per_second=15.0)
LONG_AGO = NOW - 500  # long settled, whatever it is


def one(number: int, **members: Any) -> Pending:
    return Pending(
        **{
            "uuid": f"{number:05}",
            "transition": SQS,
            "function_arn": f"function-{number}",
            "event_source_arn": f"source-{number}",
            "accepted_at": LONG_AGO,
            **members,
        }
    )


def many(count: int, **members: Any) -> list[Pending]:
    return [one(number, **members) for number in range(count)]


def chosen(pending: Iterable[Pending], census: Census | None = None, **options: Any) -> list[Look]:
    settings: dict[str, Any] = {"now": NOW, "list_lag_s": 0.0, "updates_wait": False, **options}
    return choose(pending, census or Census(), settings.pop("times", TIMES), **settings)


def kinds(looks: Iterable[Look]) -> Counter[str]:
    return Counter(look.kind for look in looks)


ARNS = st.none() | st.sampled_from(["a", "b", "c"])


@st.composite
def pendings(draw: st.DrawFn, *, doubts: bool = True) -> list[Pending]:
    """From none to hundreds, on few functions and sources or on many, some of them doubtful."""
    dice = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311 - draws of a test
    arns: list[str | None] = draw(
        st.sampled_from([[None], ["a"], ["a", "b", None], [f"arn-{number}" for number in range(200)]])
    )
    pending = []
    for number in range(draw(st.sampled_from([0, 1, 2, 5, 30, 300]))):
        age_s = dice.choice([0.0, dice.uniform(0, 20), dice.uniform(0, 500)])
        pending.append(
            one(
                number,
                transition=dice.choice(list(LIKELY_SETTLE_S)),
                function_arn=dice.choice(arns),
                event_source_arn=dice.choice(arns),
                accepted_at=NOW - age_s,
                unsettled_s=dice.choice([0.0, dice.uniform(0, age_s)]),
                get_only=dice.random() < 0.1,
                get_at=dice.choice([NOW - 1, NOW, NOW + 1]) if doubts and dice.random() < 0.1 else math.inf,
            )
        )
    return pending


@st.composite
def censuses(draw: st.DrawFn) -> Census:
    counts = st.integers(0, 1000)
    return Census(
        total=draw(st.sampled_from([0, 1, 100, 101, 350, 5000])),
        by_function=Counter({arn: draw(counts) for arn in "abc"}),
        by_source=Counter({arn: draw(counts) for arn in "abc"}),
    )


# How old a mapping is that has settled with 3 in 10, if it had not 30 s after its update; and if nobody looked.
THREE_IN_TEN_AGAIN = {"accepted_at": NOW - 33.84, "unsettled_s": 30.0, "get_only": True}
THREE_IN_TEN_AT_FIRST = {"accepted_at": NOW - 5.65, "get_only": True}


@pytest.mark.parametrize(
    ("count", "members", "looked_at"),
    [(7, THREE_IN_TEN_AGAIN, 7), (8, THREE_IN_TEN_AGAIN, 0), (7, THREE_IN_TEN_AT_FIRST, 0)],
)
def test_the_last_are_asked_about_again_the_sooner_the_fewer_they_are(
    count: int, members: dict[str, Any], looked_at: int
) -> None:
    likely = TIMES.probability(SQS, unsettled_s=members.get("unsettled_s", 0.0), age_s=NOW - members["accepted_at"])
    assert likely == pytest.approx(0.3, abs=0.01)
    assert len(chosen(many(count, **members))) == looked_at


@pytest.mark.parametrize(("unsettled_s", "looked_at"), [(30.0, 0), (29.5, 1)])
def test_one_that_is_stuck_is_not_asked_about_all_the_time(unsettled_s: float, looked_at: int) -> None:
    """At 15 in 100 and not sooner, which after half a minute takes more than a second and a half."""
    stuck = {"accepted_at": NOW - 31.5, "unsettled_s": unsettled_s, "get_only": True}
    assert len(chosen(many(1, **stuck))) == looked_at


OPTIONS = st.fixed_dictionaries({"list_lag_s": st.sampled_from([0.0, 5.0, 60.0]), "updates_wait": st.booleans()})


@given(pending=pendings(), census=censuses(), options=OPTIONS)
def test_what_always_holds(pending: list[Pending], census: Census, options: dict[str, Any]) -> None:
    looks = chosen(pending, census, **options)
    by_uuid = {waiting.uuid: waiting for waiting in pending}
    in_doubt = {waiting.uuid for waiting in pending if waiting.get_at <= NOW}
    undecided = {waiting.uuid for waiting in pending if NOW < waiting.get_at < math.inf}
    assert in_doubt <= {look.key for look in looks if look.kind == "get"}  # beside updates too
    covered: set[str] = set()
    for look in looks:
        assert look.covers
        assert not look.covers <= covered
        covered |= look.covers
        members = [by_uuid[uuid] for uuid in look.covers]
        assert not look.covers & undecided
        assert look.requests >= 1
        if look.kind == "get":
            assert look.covers == {look.key}
            assert look.requests == 1
            assert 0 < look.finds <= 1
            assert not options["updates_wait"] or look.key in in_doubt
            continue
        assert not any(member.get_only for member in members)
        assert not look.covers & in_doubt
        assert 0 < look.finds <= len(members)
        if look.kind == "sweep":
            assert look.requests == math.ceil(census.total / 100)
        else:
            counted = census.by_function if look.kind == "function" else census.by_source
            assert look.requests == math.ceil(max(counted[look.key], len(members)) / 100)
            arns = {m.function_arn if look.kind == "function" else m.event_source_arn for m in members}
            assert arns == {look.key}
        if options["updates_wait"]:
            assert look.worth >= FINDS_PER_REQUEST_BESIDE_UPDATES
    worths = [look.worth for look in looks if look.key not in in_doubt]
    assert worths == sorted(worths, reverse=True)


@given(pending=pendings(), census=censuses(), options=OPTIONS, seed=st.integers())
def test_the_order_of_those_waited_for_does_not_matter(
    pending: list[Pending], census: Census, options: dict[str, Any], seed: int
) -> None:
    def as_told(looks: list[Look]) -> list[tuple[object, ...]]:
        # Sums of floating-point numbers depend on their order by a hair.
        return sorted((look.kind, look.key, look.requests, round(look.finds, 6), look.covers) for look in looks)

    shuffled = random.Random(seed).sample(pending, len(pending))  # noqa: S311 - draws of a test
    assert as_told(chosen(shuffled, census, **options)) == as_told(chosen(pending, census, **options))


@given(pending=pendings(), census=censuses(), options=OPTIONS, speed=st.sampled_from([4.0, 16.0]))
def test_a_control_plane_at_another_speed_is_looked_at_alike(
    pending: list[Pending], census: Census, options: dict[str, Any], speed: float
) -> None:
    fast = [
        msgspec.structs.replace(
            waiting,
            accepted_at=waiting.accepted_at / speed,
            unsettled_s=waiting.unsettled_s / speed,
            get_at=waiting.get_at / speed,
        )
        for waiting in pending
    ]
    looks = chosen(pending, census, **options)
    fast_looks = chosen(
        fast,
        census,
        times=SettleTimes(max_per_second=15.0 * speed),
        now=NOW / speed,
        **{**options, "list_lag_s": options["list_lag_s"] / speed},
    )
    assert {(look.kind, look.key) for look in fast_looks} == {(look.kind, look.key) for look in looks}


@given(pending=pendings(), census=censuses(), lag_s=st.sampled_from([0.0, 30.0]))
def test_nobody_is_forgotten(pending: list[Pending], census: Census, lag_s: float) -> None:
    """Whoever waits is looked at in the end, unless a look is already agreed on."""
    looks = chosen(pending, census, now=NOW * 1e6, list_lag_s=lag_s)
    assert {uuid for look in looks for uuid in look.covers} == {waiting.uuid for waiting in pending}


@given(pending=pendings(doubts=False), census=censuses(), options=OPTIONS)
def test_nothing_due_no_look(pending: list[Pending], census: Census, options: dict[str, Any]) -> None:
    assert chosen([], census, **options) == []
    fresh = [msgspec.structs.replace(waiting, accepted_at=NOW, unsettled_s=0.0) for waiting in pending]
    assert chosen(fresh, census, **options) == []
    just_seen = [msgspec.structs.replace(waiting, unsettled_s=NOW - waiting.accepted_at) for waiting in pending]
    assert chosen(just_seen, census, **options) == []


def test_a_few_are_looked_at_with_get() -> None:
    looks = chosen(many(5), Census(total=5000))
    assert kinds(looks) == {"get": 5}
    assert kinds(chosen(many(1), Census(total=1))) == {"get": 1}


def test_hundreds_are_looked_at_with_a_sweep() -> None:
    (look,) = chosen(many(300), Census(total=1000))
    assert (look.kind, look.key, look.requests, len(look.covers)) == ("sweep", "", 10, 300)
    assert look.finds == pytest.approx(300, rel=0.01)


@pytest.mark.parametrize(("kind", "member"), [("function", "function_arn"), ("source", "event_source_arn")])
def test_many_of_one_function_or_source_are_looked_at_with_a_narrowed_list(kind: str, member: str) -> None:
    of_one, others = many(60, **{member: "the-one"}), [one(number) for number in range(100, 103)]
    census = Census(total=10_000)
    counted = census.by_function if kind == "function" else census.by_source
    counted["the-one"] = 150
    looks = chosen(of_one + others, census)
    assert kinds(looks) == {kind: 1, "get": 3}
    assert (looks[0].kind, looks[0].key, looks[0].requests) == (kind, "the-one", 2)
    assert looks[0].covers == {waiting.uuid for waiting in of_one}


def test_most_of_a_small_account_is_swept_even_if_some_share_a_function() -> None:
    pending = many(40, function_arn="shared") + [one(number) for number in range(40, 90)]
    assert kinds(chosen(pending, Census(total=100, by_function=Counter(shared=40)))) == {"sweep": 1}


def test_without_a_census_nobody_sweeps() -> None:
    """What it would cost is not known."""
    assert kinds(chosen(many(300))) == {"get": 300}
    assert kinds(chosen(many(300, function_arn="shared"))) == {"function": 1}


def test_a_sweep_that_would_show_less_than_gets_is_not_taken() -> None:
    assert kinds(chosen(many(50), Census(total=5001))) == {"get": 50}
    assert kinds(chosen(many(52), Census(total=5001))) == {"sweep": 1}


def test_while_updates_wait_a_look_must_find_a_lot() -> None:
    assert chosen(many(32), Census(total=100), updates_wait=True) == []
    assert kinds(chosen(many(34), Census(total=100), updates_wait=True)) == {"sweep": 1}
    assert chosen(many(34), Census(total=200), updates_wait=True) == []
    assert chosen(many(300), Census(), updates_wait=True) == []
    assert kinds(chosen(many(34, event_source_arn="shared"), Census(total=900), updates_wait=True)) == {"source": 1}


def test_a_doubt_is_looked_at_with_get_also_beside_updates() -> None:
    pending = [one(0, get_at=NOW, accepted_at=NOW), *many(5)[1:]]
    (look,) = chosen(pending, Census(total=100), updates_wait=True)
    assert (look.kind, look.key) == ("get", "00000")


def test_what_list_cannot_tell_is_never_looked_at_with_list() -> None:
    looks = chosen(many(200, get_only=True, function_arn="shared"), Census(total=200))
    assert kinds(looks) == {"get": 200}


def test_half_of_those_likely_to_have_settled_are_worth_a_look() -> None:
    median_s = TIMES.median_s(SQS)
    for count in (1, 200):
        pending = many(count, accepted_at=NOW)
        census = Census(total=1000)
        assert chosen(pending, census, now=NOW + 0.5 * median_s) == []
        assert len(chosen(pending, census, now=NOW + median_s)) == 1


def test_a_rich_sweep_need_not_wait_for_the_slow() -> None:
    slow = [one(number, transition=DOCUMENTDB, accepted_at=NOW - 20) for number in range(100, 900)]
    assert chosen(slow, Census(total=900)) == []
    assert kinds(chosen(slow + many(100), Census(total=900))) == {"sweep": 1}


def test_a_lagging_list_delays_lists_and_no_gets() -> None:
    twenty_s = NOW - 20
    few = many(3, accepted_at=twenty_s)
    assert kinds(chosen(few, Census(total=5000), list_lag_s=19.0)) == {"get": 3}
    crowd = many(300, accepted_at=twenty_s)
    assert kinds(chosen(crowd, Census(total=1000), list_lag_s=0.0)) == {"sweep": 1}
    assert chosen(crowd, Census(total=1000), list_lag_s=19.0) == []
    assert kinds(chosen(crowd, Census(total=1000), list_lag_s=19.0, now=NOW + 19)) == {"sweep": 1}
