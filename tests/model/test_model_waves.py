"""Waves: a few tell of all."""

import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import DYNAMODB, FUNCTION, KINESIS, KNOWN, MSK, SQS, UNKNOWN

from bulk_esm.errors import UsageError
from bulk_esm.model.amounts import Amount
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.waves import parse_waves, waves_of


def update(uuid: str, source: SourceType = SQS, function: str | None = "orders") -> PlanItem:
    return PlanItem(
        uuid=uuid,
        function_arn=function and FUNCTION + function,
        event_source_arn=None,
        source_type=source,
        state="Enabled",
        action=Action.UPDATE,
        request={"Enabled": False},
    )


def uuids(waves: list[tuple[PlanItem, ...]]) -> list[list[str]]:
    return [[item.uuid for item in wave] for wave in waves]


def one_by_one(items: list[PlanItem]) -> list[PlanItem]:
    """The order in which they come."""
    return [item for wave in waves_of(items, ()) for item in wave]


functions = st.none() | st.sampled_from(["orders", "orders:PROD", "payments", "refunds:1"])
sources = st.sampled_from([*KNOWN, UNKNOWN])
fleets = st.lists(st.tuples(sources, functions), max_size=60).map(
    lambda fleet: [update(str(number), source, function) for number, (source, function) in enumerate(fleet)]
)
counts = st.lists(st.integers(1, 70), unique=True, max_size=4).map(lambda numbers: [str(n) for n in sorted(numbers)])
shares = st.lists(st.integers(1, 99), unique=True, max_size=4).map(lambda numbers: [f"{n}%" for n in sorted(numbers)])
sizes = st.tuples(counts, shares).map(lambda both: parse_waves(",".join([*both[0], *both[1], "100%"])))


@pytest.mark.parametrize("text", ["100%", "1,5%,25%,100%", " 1 , 100% ", "0.1%,1%,100.0%", "1,2,3,100%", "10%,5,100%"])
def test_sizes(text: str) -> None:
    assert parse_waves(text) == tuple(Amount(part.strip()) for part in text.split(","))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'' is no amount"),
        ("1,,100%", "'' is no amount"),
        ("1,5%,100%,", "'' is no amount"),
        ("1;100%", "is no amount"),
        ("1,200%", "200% is more than all"),
        ("0,100%", "a wave of none; leave it out"),
        ("0.0%,100%", "a wave of none"),
        ("5,5,100%", "each is larger than the one before"),
        ("5,10%,4,100%", "each is larger"),
        ("10%,5,10%,100%", "each is larger"),
        ("100%,100%", "each is larger"),
        ("1,50%", "end it with 100%"),
        ("100", "end it with 100%"),
        ("100%,500", "end it with 100%"),
        ("squared:2%", "write 1,5%,100%, linear:20% or exponential:1%"),
        ("1,linear:20%", "write 1,5%,100%, linear:20% or exponential:1%"),
        ("linear:20%,100%", "linear goes without other sizes"),
        ("linear:10", "linear takes a percentage, such as linear:5%"),
        ("exponential:0%", "a wave of none"),
        ("linear:", "'' is no amount"),
        ("exponential:101%", "101% is more than all"),
        ("linear:0.5%", "more than 100 waves; begin with more"),
    ],
)
def test_sizes_that_make_no_sense(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        parse_waves(text)
    assert str(raised.value).startswith("--waves")


@pytest.mark.parametrize(
    ("text", "total", "expected"),
    [
        ("1,5%,25%,100%", 100, [1, 4, 20, 75]),
        ("1,5%,25%,100%", 10, [1, 2, 7]),  # 5 % of ten is the one that has been
        ("1,5%,25%,100%", 1, [1]),
        ("1,5%,25%,100%", 0, []),
        ("50,10%,100%", 100, [50, 50]),
        ("500,1000,100%", 100, [100]),
        ("100%", 3, [3]),
    ],
)
def test_sizes_are_cumulative(text: str, total: int, expected: list[int]) -> None:
    fleet = [update(str(number)) for number in range(total)]
    assert [len(wave) for wave in waves_of(fleet, parse_waves(text))] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linear:20%", ["20%", "40%", "60%", "80%", "100%"]),
        ("linear:30%", ["30%", "60%", "90%", "100%"]),
        ("linear:100%", ["100%"]),
        ("exponential:1%", ["1%", "2%", "4%", "8%", "16%", "32%", "64%", "100%"]),
        (
            "exponential: 0.1%",
            ["0.1%", "0.2%", "0.4%", "0.8%", "1.6%", "3.2%", "6.4%", "12.8%", "25.6%", "51.2%", "100%"],
        ),
        ("exponential:50%", ["50%", "100%"]),
    ],
)
def test_sizes_that_grow_by_a_rule(text: str, expected: list[str]) -> None:
    assert [str(size) for size in parse_waves(text)] == expected


@given(st.sampled_from(["linear", "exponential"]), st.decimals(1, 100, places=2))
def test_sizes_that_grow_are_sizes_like_any_other(kind: str, first: Decimal) -> None:
    sizes = parse_waves(f"{kind}:{first}%")
    assert parse_waves(",".join(map(str, sizes))) == sizes
    steps = [later.number - earlier.number for earlier, later in pairwise(sizes[:-1])]
    assert steps == ([first] * len(steps) if kind == "linear" else [size.number for size in sizes[:-2]])


def test_without_sizes_there_is_one_wave() -> None:
    fleet = [update(str(number)) for number in range(3)]
    assert uuids(waves_of(fleet, (), as_given=True)) == [["0", "1", "2"]]
    assert waves_of([], ()) == []


@settings(deadline=None)
@given(fleets, sizes, st.booleans())
def test_each_item_is_in_just_one_wave(fleet: list[PlanItem], of: tuple[Amount, ...], as_given: bool) -> None:  # noqa: FBT001
    waves = waves_of(fleet, of, as_given=as_given)
    assert all(waves)
    assert len(waves) <= len(of)
    in_order = [item for wave in waves for item in wave]
    assert sorted(item.uuid for item in in_order) == sorted(item.uuid for item in fleet)
    if as_given:
        assert in_order == fleet
    ends = {min(len(fleet), size.of(len(fleet))) for size in of}
    done = 0
    for wave in waves:
        done += len(wave)
        assert done in ends


@settings(deadline=None)
@given(fleets, sizes, st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(
    fleet: list[PlanItem], of: tuple[Amount, ...], shuffling: random.Random
) -> None:
    shuffled = shuffling.sample(fleet, len(fleet))
    assert waves_of(shuffled, of) == waves_of(fleet, of)


@settings(deadline=None)
@given(fleets)
def test_any_few_are_a_small_picture_of_all(fleet: list[PlanItem]) -> None:
    """Each source type has its share of any prefix, give or take half an item and what the others round."""
    of_source = Counter(item.source_type for item in fleet)
    ordered = one_by_one(fleet)
    for taken in range(len(fleet) + 1):
        seen = Counter(item.source_type for item in ordered[:taken])
        for source, total in of_source.items():
            share = Fraction(total, len(fleet))
            assert abs(seen[source] - share * taken) <= Fraction(1, 2) + share * len(of_source) / 2


@settings(deadline=None)
@given(fleets)
def test_each_function_has_its_turn_before_any_has_another(fleet: list[PlanItem]) -> None:
    ordered = one_by_one(fleet)
    for source in {item.source_type for item in fleet}:
        turns: Counter[str] = Counter()
        named = [str(item.function_arn).removeprefix(FUNCTION) for item in ordered if item.source_type is source]
        in_turns = []
        for name in named:
            function = name.partition(":")[0]
            turns[function] += 1
            in_turns.append(turns[function])
        assert all(later >= earlier for earlier, later in pairwise(in_turns))


def test_the_commonest_source_comes_first_and_the_rarest_in_the_middle() -> None:
    fleet = [update(f"s{n}") for n in range(6)] + [update(f"k{n}", KINESIS) for n in range(3)] + [update("m", MSK)]
    order = "".join(item.uuid[0] for item in one_by_one(fleet))
    assert (order.count("s"), order.count("k"), order.count("m")) == (6, 3, 1)
    assert order[0] == "s"
    assert order.index("m") in {4, 5}
    assert set(order[:3]) == {"s", "k"}


def test_qualifiers_are_of_one_function() -> None:
    fleet = [update("a", function="orders:1"), update("b", function="orders:2"), update("c", function="payments")]
    ordered = one_by_one(fleet)
    assert {str(item.function_arn).removeprefix(FUNCTION).partition(":")[0] for item in ordered[:2]} == {
        "orders",
        "payments",
    }


def test_how_uuids_were_given_out_does_not_show() -> None:
    fleet = [update(f"{number:04}", DYNAMODB) for number in range(100)]
    ordered = [item.uuid for item in one_by_one(fleet)]
    assert ordered != sorted(ordered)
    assert 20 < sum(uuid < "0050" for uuid in ordered[:60]) < 40
