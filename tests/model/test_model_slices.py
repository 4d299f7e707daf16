"""Waves over many shards: every update in exactly one, each shard in proportion, groups one after another."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.amounts import Amount
from bulk_esm.model.slices import Slice, slices_of
from bulk_esm.model.waves import parse_waves

Groups = list[list[str]]
Sizes = tuple[Amount, ...]
NAMES = ("a", "b", "c", "d", "e")
updates_of_shards = st.fixed_dictionaries({name: st.integers(0, 40) for name in NAMES})
sizes = st.sampled_from(["100%", "1,100%", "1,5%,25%,100%", "3,50%,100%", "10%,100%", "7,100%"]).map(parse_waves)
groups = st.permutations(NAMES).flatmap(
    lambda names: st.integers(0, len(names)).map(lambda cut: [group for group in (names[:cut], names[cut:]) if group])
)


@given(groups=groups, updates=updates_of_shards, sizes=sizes)
def test_each_update_is_in_exactly_one_wave_and_slices_follow_on(
    groups: Groups, updates: dict[str, int], sizes: Sizes
) -> None:
    steps = slices_of(groups, updates, sizes)
    begun = dict.fromkeys(NAMES, 0)
    for step in steps:
        assert step
        for slice_ in step:
            assert slice_.begin == begun[slice_.shard] < slice_.end
            begun[slice_.shard] = slice_.end
    assert begun == updates


@given(groups=groups, updates=updates_of_shards, sizes=sizes)
def test_a_group_begins_when_the_one_before_is_done(groups: Groups, updates: dict[str, int], sizes: Sizes) -> None:
    places = {name: number for number, group in enumerate(groups) for name in group}
    order = [places[step[0].shard] for step in slices_of(groups, updates, sizes)]
    assert order == sorted(order)
    for step in slices_of(groups, updates, sizes):
        assert len({places[slice_.shard] for slice_ in step}) == 1


@given(updates=updates_of_shards, sizes=sizes)
def test_each_shard_gives_in_proportion(updates: dict[str, int], sizes: Sizes) -> None:
    total = sum(updates.values())
    taken = dict.fromkeys(NAMES, 0)
    ends = sorted({min(total, size.of(total)) for size in sizes} - {0})
    steps = slices_of([NAMES], updates, sizes)
    for step, end in zip(steps, ends, strict=True):
        for slice_ in step:
            taken[slice_.shard] = slice_.end
        assert sum(taken.values()) == end
        for one in NAMES:
            for other in NAMES:
                # Nobody has given a whole mapping more than another, each by the half of its own step.
                if taken[one] and taken[other] < updates[other]:
                    mine = (taken[one] - Fraction(1, 2)) / updates[one]
                    assert mine <= (taken[other] + Fraction(1, 2)) / updates[other]


def test_the_first_wave_of_one_is_one_mapping_of_the_largest_shard() -> None:
    steps = slices_of([["small", "large"]], {"small": 3, "large": 10}, parse_waves("1,100%"))
    assert steps == [(Slice("large", 0, 1),), (Slice("small", 0, 3), Slice("large", 1, 10))]


def test_a_canary_account_goes_first_with_waves_of_its_own() -> None:
    steps = slices_of([["canary"], ["x", "y"]], {"canary": 2, "x": 50, "y": 50}, parse_waves("1,100%"))
    assert steps == [
        (Slice("canary", 0, 1),),
        (Slice("canary", 1, 2),),
        (Slice("x", 0, 1),),
        (Slice("x", 1, 50), Slice("y", 0, 50)),
    ]


def test_no_updates_no_waves() -> None:
    assert slices_of([["a"], []], {"a": 0}, parse_waves("1,100%")) == []
