"""The judge finds what it is there to find, and nothing else."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from torturing.changes import expected_of_apply, expected_of_pause, expected_of_undoing
from torturing.judge import Expected, Kind, Seen, judge, judge_left, judge_process

BEFORE: dict[str, dict[str, Any]] = {
    "on": {"UUID": "on", "State": "Enabled", "BatchSize": 10, "LastModified": 1.0},
    "off": {"UUID": "off", "State": "Disabled", "BatchSize": 10, "LastModified": 1.0},
    "other": {"UUID": "other", "State": "Enabled", "BatchSize": 10, "LastModified": 1.0},
}
AFTER = BEFORE | {"on": BEFORE["on"] | {"State": "Disabled", "LastModified": 2.0}}
SELECTED = frozenset({"on", "off"})
PAUSE = expected_of_pause(BEFORE, SELECTED)
WELL = Seen(
    plan=["on", "off"],
    results=[("on", "updated"), ("off", "unchanged")],
    accepted={"on": 1},
    before=BEFORE,
    after=AFTER,
)


def kinds(expected: Expected, seen: Seen) -> set[Kind]:
    return {finding.kind for finding in judge(expected, seen)}


def test_what_went_well_has_no_findings() -> None:
    assert judge(PAUSE, WELL) == []


def changed(**members: Any) -> Callable[[], Seen]:
    return lambda: msgspec.structs.replace(WELL, **members)


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        pytest.param(changed(results=[("on", "updated")]), Kind.LOST, id="a lost result"),
        pytest.param(changed(results=[*WELL.results, ("on", "updated")]), Kind.DOUBLED, id="a second result"),
        pytest.param(changed(results=[("on", "failed"), ("off", "unchanged")]), Kind.OUTCOME, id="a wrong outcome"),
        pytest.param(changed(results=[*WELL.results, ("other", "unchanged")]), Kind.OUTCOME, id="a stranger's result"),
        pytest.param(changed(plan=["on"], results=[("on", "updated")]), Kind.PLAN, id="a mapping left out"),
        pytest.param(changed(plan=["on", "off", "off"]), Kind.PLAN, id="a mapping planned twice"),
        pytest.param(changed(accepted={"on": 2}), Kind.TWICE, id="a second acceptance"),
        pytest.param(changed(accepted={"on": 1, "off": 1}), Kind.TWICE, id="an update that was not to be sent"),
        pytest.param(changed(accepted={}), Kind.NEVER, id="an update that never came"),
        pytest.param(changed(accepted={"on": 1, "other": 1}), Kind.OUTSIDE, id="an update outside the selection"),
        pytest.param(changed(after=BEFORE), Kind.STATE, id="a wrong end state"),
        pytest.param(
            changed(after=AFTER | {"on": AFTER["on"] | {"BatchSize": 9}}), Kind.STATE, id="another member changed"
        ),
        pytest.param(
            changed(after=AFTER | {"other": BEFORE["other"] | {"State": "Disabled"}}),
            Kind.OUTSIDE,
            id="a change outside the selection",
        ),
        pytest.param(
            changed(after={"on": AFTER["on"], "off": AFTER["off"]}), Kind.OUTSIDE, id="a mapping that is gone"
        ),
    ],
)
def test_the_judge_finds(seen: Callable[[], Seen], kind: Kind) -> None:
    assert kind in kinds(PAUSE, seen())


def test_a_rollback_that_did_nothing_is_found() -> None:
    undoing = expected_of_undoing(BEFORE, SELECTED, {"on"})
    well = Seen(plan=["on"], results=[("on", "updated")], accepted={"on": 1}, before=AFTER, after=BEFORE)
    assert judge(undoing, well) == []
    nothing = Seen(plan=["on"], results=[("on", "unchanged")], accepted={}, before=AFTER, after=AFTER)
    assert kinds(undoing, nothing) == {Kind.OUTCOME, Kind.NEVER, Kind.STATE}
    no_run = Seen(plan=[], results=[], accepted={}, before=AFTER, after=AFTER)
    assert kinds(undoing, no_run) == {Kind.PLAN, Kind.NEVER, Kind.STATE}


def test_an_apply_leaves_alone_what_has_the_value() -> None:
    before = BEFORE | {"off": BEFORE["off"] | {"BatchSize": 5}}
    expected = expected_of_apply(before, SELECTED, 5)
    assert expected.updates == {"on"}
    assert expected.members == {"on": {"BatchSize": 5}}


@pytest.mark.parametrize(
    ("accepted", "found"),
    [({}, []), ({"on": 1}, []), ({"on": 2}, [Kind.TWICE]), ({"off": 1}, [Kind.TWICE]), ({"other": 1}, [Kind.OUTSIDE])],
)
def test_a_change_that_was_left_may_lack_updates_and_have_none_too_many(
    accepted: dict[str, int], found: list[Kind]
) -> None:
    assert [finding.kind for finding in judge_left(PAUSE, accepted)] == found


@pytest.mark.parametrize(
    ("code", "stderr", "found"),
    [
        (0, "", []),
        (130, "interrupted", []),
        (1, "", [Kind.CODE]),
        (-11, "", [Kind.CODE]),
        (0, "Traceback (most recent call last):\n", [Kind.WORDS]),
        (0, "internal error; please report this", [Kind.WORDS]),
    ],
)
def test_how_a_process_ends(code: int, stderr: str, found: list[Kind]) -> None:
    assert [finding.kind for finding in judge_process(code, stderr, allowed={0, 130})] == found
