"""The index of a plan: a wave reads from disk what `waves_of` would give it in memory."""

import tempfile
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_esm.errors import RunFolderError
from bulk_esm.model.amounts import Amount
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.plan import Action, Plan, PlanItem
from bulk_esm.model.slices import Slice, slices_of
from bulk_esm.model.waves import waves_of
from bulk_esm.store.plan_index import PlanIndex
from bulk_esm.store.shard_files import PLAN, ShardFiles

SHARD = "123456789012-us-east-1"


def item(uuid: str, action: Action = Action.UPDATE, *, source: SourceType = SourceType.SQS, of: int = 0) -> PlanItem:
    return PlanItem(
        uuid=uuid,
        function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:f-{of}",
        event_source_arn=None,
        source_type=source,
        state="Enabled",
        action=action,
        request={"Enabled": False} if action is Action.UPDATE else {},
        before_json=msgspec.Raw(msgspec.json.encode({"UUID": uuid, "Ö": [of]})),
    )


plans = st.lists(
    st.builds(
        item,
        st.uuids().map(str),
        st.sampled_from([Action.UPDATE, Action.UPDATE, Action.UNCHANGED, Action.BLOCKED]),
        source=st.sampled_from(SourceType),
        of=st.integers(0, 3),
    ),
    max_size=30,
    unique_by=lambda each: each.uuid,
)
sizes_of_waves = st.lists(st.integers(1, 12), max_size=4).map(
    lambda steps: (*(Amount(str(size)) for size in accumulate(steps)), Amount("100%"))
)


def written(folder: Path, items: list[PlanItem]) -> ShardFiles:
    files = ShardFiles(folder)
    files.write_plan(Plan(tuple(items)), run_id="run")
    return files


@settings(deadline=None)
@given(items=plans, sizes=sizes_of_waves, as_given=st.booleans())
def test_slices_are_the_waves(items: list[PlanItem], sizes: tuple[Amount, ...], *, as_given: bool) -> None:
    updates = [each for each in items if each.action is Action.UPDATE]
    with tempfile.TemporaryDirectory() as folder:
        index = PlanIndex(written(Path(folder), items), as_given=as_given)
        waves = slices_of([[SHARD]], {SHARD: len(updates)}, sizes)
        found = [index.items(slice_) for wave in waves for slice_ in wave]
        expected = waves_of(updates, sizes, as_given=as_given)
        if len(expected) == 1:  # all of them are read from the beginning to the end
            expected = [tuple(updates)]
        assert found == [list(wave) for wave in expected]
        others = [each for each in items if each.action is not Action.UPDATE]
        assert index.unsent_items() == others
        assert index.unsent == len(others)


@settings(deadline=None)
@given(items=plans, ends=st.lists(st.integers(0, 30)), as_given=st.booleans())
def test_any_slices_that_follow_on_are_all_of_it(items: list[PlanItem], ends: list[int], *, as_given: bool) -> None:
    """As a shard of several has it, whose waves begin and end anywhere."""
    updates = [each for each in items if each.action is Action.UPDATE]
    cuts = sorted({0, len(updates), *(end for end in ends if end < len(updates))})
    (whole,) = waves_of(updates, (), as_given=as_given) or ((),)
    with tempfile.TemporaryDirectory() as folder:
        index = PlanIndex(written(Path(folder), items), as_given=as_given)
        found = [each for begin, end in pairwise(cuts) for each in index.items(Slice(SHARD, begin, end))]
    assert found == list(updates if len(cuts) == 2 else whole)


def test_the_order_that_was_given_is_kept(tmp_path: Path) -> None:
    items = [item(str(number), of=0) for number in range(20)]
    index = PlanIndex(written(tmp_path, items), as_given=True)
    assert index.items(Slice(SHARD, 0, 5)) == items[:5]
    assert index.items(Slice(SHARD, 5, 20)) == items[5:]
    assert PlanIndex(ShardFiles(tmp_path), as_given=False).items(Slice(SHARD, 0, 5)) != items[:5]


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    files = written(tmp_path, [item("a"), item("b")])
    path = files.path / PLAN
    path.write_bytes(b"\n" + path.read_bytes().replace(b"\n", b"\n \n"))
    index = PlanIndex(files, as_given=True)
    assert [each.uuid for each in (*index.items(Slice(SHARD, 0, 1)), *index.items(Slice(SHARD, 1, 2)))] == ["a", "b"]


@pytest.mark.parametrize("damage", [b"what\n", b"{}\n", b"\xff\n", b'{"uuid": "torn'])
def test_a_line_that_is_damaged_is_named_by_its_number(tmp_path: Path, damage: bytes) -> None:
    files = written(tmp_path, [item("a")])
    path = files.path / PLAN
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(RunFolderError) as caught:
        PlanIndex(files, as_given=True)
    assert str(caught.value).startswith(f"{path}, line 2: ")


def test_a_line_that_is_damaged_later_is_named_by_its_place(tmp_path: Path) -> None:
    files = written(tmp_path, [item("a"), item("b", Action.BLOCKED)])
    path = files.path / PLAN
    index = PlanIndex(files, as_given=True)
    first = path.read_bytes().index(b"\n") + 1
    path.write_bytes(path.read_bytes()[:first] + b"what\n")
    assert [each.uuid for each in index.items(Slice(SHARD, 0, 1))] == ["a"]
    with pytest.raises(RunFolderError) as caught:
        index.unsent_items()
    assert str(caught.value).startswith(f"{path}, at byte {first}: ")


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"plan\.jsonl cannot be read: No such file"):
        PlanIndex(ShardFiles(tmp_path), as_given=True)
    files = written(tmp_path, [item("a")])
    path = files.path / PLAN
    index = PlanIndex(files, as_given=True)
    path.unlink()
    with pytest.raises(RunFolderError, match=r"plan\.jsonl cannot be read: No such file"):
        index.items(Slice(SHARD, 0, 1))
