"""Whatever a server answers: what is no answer is refused, asked for again or bounded, and nothing is sent twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_harness import FAST, Inside, Simulated, listening

from bulk_esm.aws import control_plane, listing
from bulk_esm.simulator import Faults, Kind, Spoil

YES = ("--yes", *FAST)
SAYS = {
    Spoil.NO_LIST: "DamagedAnswer: List",
    Spoil.NO_OBJECTS: "DamagedAnswer: List",
    Spoil.NO_UUIDS: "DamagedAnswer: List",
    Spoil.SAME_MARKER: "EndlessListing: page 2 leads back to an earlier one",
    Spoil.ENDLESS: "EndlessListing: there are more than 20 pages",
    Spoil.HALF: "answered with what is no answer: Input data was truncated",
    Spoil.NO_TEXT: "answered with what is no answer: 'utf-8' codec can't decode",
    Spoil.DEEP: "answered with what is no answer: maximum recursion depth exceeded",
    Spoil.WRONG_ERROR: "ServiceException: ",
    Spoil.REDIRECT: "Redirected: the answer points to",
    Spoil.DRIP: "TimeoutError",
}
SEED = 4  # with which the first List is no redirect, and some updates are
MENDED = sorted(SAYS.keys() - {Spoil.SAME_MARKER, Spoil.ENDLESS, Spoil.REDIRECT})  # by another try


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    monkeypatch.setattr(listing, "MOST_PAGES", 20)
    monkeypatch.setattr(control_plane, "_LONGEST_ANSWER_S", 0.1)
    monkeypatch.setattr(control_plane, "LONGEST_UPDATE_S", 0.1)
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("spoil", SAYS)
def test_a_plan_is_refused_that_would_be_made_of_it(spoil: Spoil, tmp_path: Path, inside: Inside) -> None:
    with listening() as elsewhere:
        faults = Faults(spoils=(spoil,), redirects_to=elsewhere.environment["AWS_ENDPOINT_URL"], drip_s=1.0)
        with Simulated(mappings=30, faults=faults) as simulated:
            done = inside(simulated.environment, "pause", "--all", *YES)
            assert (done.code, done.stdout) == (2, "")
            assert SAYS[spoil] in done.stderr
            assert "please report" not in done.stderr
            assert simulated.report().count(Kind.UPDATE) == 0
        assert not elsewhere.was_called  # what it points to is not asked
    assert not list(tmp_path.glob("bulk-esm-runs/*"))


@pytest.mark.parametrize("spoil", MENDED)
def test_now_and_then_it_is_asked_for_again(spoil: Spoil, inside: Inside) -> None:
    faults = Faults(spoils=(spoil,), spoiled_share=0.2, drip_s=1.0)
    with Simulated(mappings=30, faults=faults) as simulated:
        enabled = {uuid for uuid, state in simulated.states().items() if state == "Enabled"}
        done = inside(simulated.environment, "pause", "--all", *YES)
        assert done.code == 0, done.stderr
        assert set(simulated.states().values()) == {"Disabled"}
        assert simulated.accepted() == dict.fromkeys(simulated.states(), 0) | dict.fromkeys(enabled, 1)


def test_updates_that_are_redirected_fail_and_are_sent_nowhere_else(inside: Inside) -> None:
    with listening() as elsewhere:
        where = elsewhere.environment["AWS_ENDPOINT_URL"]
        faults = Faults(spoils=(Spoil.REDIRECT,), spoiled_share=0.2, redirects_to=where)
        with Simulated(mappings=20, faults=faults, seed=SEED) as simulated:
            done = inside(simulated.environment, "pause", "--all", *YES, "--max-failures", "100%", "--output", "jsonl")
            assert done.code == 1, done.stderr
            refused = [line for line in done.records if line["outcome"] == "failed"]
            assert {line["error"]["code"] for line in refused} == {"Redirected"}
            assert len(done.records) == 20
            assert max(simulated.accepted().values()) == 1
        assert not elsewhere.was_called


def test_hostile_text_is_shown_escaped(inside: Inside) -> None:
    faults = Faults(spoils=(Spoil.HOSTILE_TEXT,), refused_share=0.3)
    with Simulated(mappings=20, faults=faults) as simulated:
        for command in (("list", "--all"), ("plan", "--all", "--set", "Enabled=false"), ("pause", "--all", "--yes")):
            done = inside(simulated.environment, *command, *FAST, "--output", "table")
            assert done.code in {0, 1}, done.stderr
            shown = done.stdout + done.stderr
            assert "owned" in shown
            assert not set(shown) & {"\x1b", "\x07", "\r", "\x9b", "\u202e"}
