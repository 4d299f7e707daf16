"""What a sweep after the plan shows that the selection means and the plan lacks."""

from __future__ import annotations

from typing import Any

import pytest
from model_samples import make_mapping

from bulk_esm.model.doubts import Doubts
from bulk_esm.model.selection import Selection
from bulk_esm.model.unplanned import Unplanned

ENABLED = Selection(states=("Enabled",))


def test_what_the_plan_lacks_is_found_and_nothing_else() -> None:
    watching = Unplanned(ENABLED, {"planned"})
    watching.heed([make_mapping(UUID="planned"), make_mapping(UUID="off", State="Disabled"), make_mapping(UUID="new")])
    assert watching.found == {"new": make_mapping().function_arn}


def test_what_is_on_its_way_has_no_state_to_go_by() -> None:
    watching = Unplanned(Selection(all=True), set())
    watching.heed([make_mapping(UUID="new", State="Creating")])
    assert not watching.found
    watching.heed([make_mapping(UUID="new")])
    assert watching.found.keys() == {"new"}


def test_what_is_no_longer_meant_is_taken_back() -> None:
    watching = Unplanned(ENABLED, set())
    watching.heed([make_mapping(UUID="new")])
    watching.heed([make_mapping(UUID="new", State="Disabled")])
    assert not watching.found


def test_an_old_picture_of_what_a_run_of_late_changed_is_not_believed() -> None:
    old = make_mapping(UUID="ours")
    watching = Unplanned(ENABLED, set(), doubts=Doubts(stamps={"ours": old.last_modified}))
    watching.heed([old])
    assert not watching.found
    watching.heed([make_mapping(UUID="ours", LastModified=old.last_modified + 120)])
    assert watching.found.keys() == {"ours"}


@pytest.mark.parametrize("tags", [{"tags": ("team=a",)}, {"function_tags": ("team=a",)}])
def test_of_a_selection_by_tags_nothing_is_told_as_pages_have_none(tags: dict[str, Any]) -> None:
    watching = Unplanned(Selection(**tags), set())
    watching.heed([make_mapping(UUID="new")])
    assert not watching.found


def test_a_where_that_fails_on_a_mapping_does_not_mean_it() -> None:
    watching = Unplanned(Selection(where=("BatchSize > `5` && length(Nowhere) > `1`",)), set())
    watching.heed([make_mapping(UUID="new")])
    assert not watching.found
