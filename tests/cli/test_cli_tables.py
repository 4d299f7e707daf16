"""Tables fit their width, whatever is in them: which columns, how wide, and what is shortened how."""

import io
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bulk_esm.cli.output import Results
from bulk_esm.cli.streams import manner
from bulk_esm.cli.summary import PLAN_COLUMNS, RESULT_COLUMNS
from bulk_esm.cli.table import COLUMNS, Column, Cut, arranged, shortened_to, table, unique_length

LIST = ("uuid", "function", "source", "type", "state")
RUNS = ("run", "command", "region", "started", "by", "status", "counts")
FLEET = ("uuid", "account", "region", *RESULT_COLUMNS[1:])
UUID = "0178c43c-379d-40d0-9dce-0ece042b29bf"
OTHER = "0178c43c-379d-50d0-9dce-0ece042b29bf"
HOSTILE = "a\x1b[2J<script>alert(1)</script>\r\u202e"

texts = st.text(st.characters(), max_size=60)
uuids = st.uuids(version=4).map(str)


def rows_of(names: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    return st.lists(st.tuples(*(uuids if name == "uuid" else texts for name in names)), max_size=5)


tables = st.sampled_from([LIST, PLAN_COLUMNS, RESULT_COLUMNS, FLEET, RUNS, ("flag", "other")]).flatmap(
    lambda names: st.tuples(st.just(names), rows_of(names))
)


@given(tables, st.integers(1, 200))
def test_no_line_is_wider_than_the_width(found: tuple[tuple[str, ...], list[tuple[str, ...]]], width: int) -> None:
    names, rows = found
    lines = list(table(names, rows, width=width))
    assert len(lines) == 1 + len(rows)  # no cell is folded
    assert max(map(cell_len, lines)) <= width
    assert not [each for line in lines for each in line if unicodedata.category(each) in ("Cc", "Cs")]


@given(tables)
def test_nothing_is_shortened_where_there_is_room(found: tuple[tuple[str, ...], list[tuple[str, ...]]]) -> None:
    names, rows = found
    whole = list(table(names, rows, width=None))
    assert whole == list(table(names, rows, width=max(map(cell_len, whole)) + 2 * len(names)))
    assert set(whole[0].split()) == set(names)


columns = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30), st.sampled_from(Cut)), min_size=1, max_size=8)


@given(columns, st.data())
def test_the_least_important_give_way_first(found: list[tuple[int, int, Cut]], data: st.DataObject) -> None:
    these = [Column(*one) for one in found]
    natural = data.draw(st.lists(st.integers(0, 60), min_size=len(these), max_size=len(these)))
    width = data.draw(st.integers(1, 300))
    shown = dict(arranged(these, natural, [one.least for one in these], width=width))
    assert sum(shown.values()) + 2 * (len(shown) - 1) <= width
    left_out = [these[index].rank for index in range(len(these)) if index not in shown]
    assert all(these[index].rank <= min(left_out, default=9) for index in shown)
    assert all(shown[index] <= natural[index] for index in shown)
    cut = [index for index in shown if shown[index] < natural[index] and these[index].cut is not Cut.UUID]
    for index in cut:  # whoever is less important has no more than the least
        less = [other for other in shown if these[other].rank > these[index].rank]
        assert all(shown[other] <= these[other].least for other in less)


@given(texts.filter(str.isprintable), st.integers(1, 40), st.sampled_from(Cut))
def test_what_is_shortened(text: str, width: int, cut: Cut) -> None:
    found = shortened_to(text, width, cut=cut)
    assert cell_len(found) <= width
    assert found == text or "…" in found


def test_names_are_shortened_in_the_middle_and_sentences_at_their_end() -> None:
    assert shortened_to("orders-processor-for-europe:live", 15) == "orders-…pe:live"
    assert shortened_to("AccessDenied: not permitted", 15, cut=Cut.END) == "AccessDenied: …"
    assert shortened_to(UUID, 8, cut=Cut.UUID) == "0178c43c"
    assert shortened_to("鍵" * 10, 8) == "鍵鍵…鍵"
    assert shortened_to("long", 1) == "…"


@given(st.lists(uuids, max_size=30))
def test_short_uuids_tell_all_apart(found: list[str]) -> None:
    length = unique_length(found)
    assert length >= 8
    assert len({uuid[:length] for uuid in found}) == len(set(found))


def test_uuids_that_begin_alike_are_as_long_as_it_takes() -> None:
    assert unique_length([UUID, OTHER, UUID]) == 15
    assert unique_length([UUID]) == unique_length([]) == 8
    heading, *lines = table(("uuid", "function"), [(UUID, "f" * 40), (OTHER, "g" * 40)], width=40)
    assert heading.split() == ["function", "uuid"]
    assert [line.split()[1] for line in lines] == [UUID[:15], OTHER[:15]]


def row(names: tuple[str, ...], **cells: str) -> tuple[str, ...]:
    usual = {"uuid": UUID, "function": "payments-pricing-archive:prod", "source": "payments-pricing-archive-12-queue"}
    usual |= {"type": "sqs", "state": "Enabled", "account": "123456789012", "region": "ap-southeast-1"}
    return tuple((usual | cells).get(name, "-") for name in names)


def test_what_matters_is_there_at_80_columns() -> None:
    why = "AccessDeniedException: User is not authorized to perform lambda:UpdateEventSourceMapping"
    shown = "\n".join(table(RESULT_COLUMNS, [row(RESULT_COLUMNS, outcome="not_started", why=why)], width=80))
    heading, line = shown.splitlines()
    assert heading.split() == ["function", "uuid", "outcome", "why"]
    assert line.split()[:3] == ["payments-pricing-archive:prod", UUID[:8], "not_started"]
    assert "AccessDeniedException" in line
    heading, line = table(FLEET, [row(FLEET, outcome="failed", why=why)], width=80)
    assert heading.split() == ["function", "uuid", "account", "region", "outcome", "why"]
    run = row(
        RUNS, run="20260131T033000Z-rollback-1a2b3c", status="finished", by="alice on build-7", counts="5 updated"
    )
    heading, line = table(RUNS, [run], width=80)
    assert line.startswith("20260131T033000Z-rollback-1a2b3c")
    assert heading.split()[-2:] == ["status", "counts"]
    run = row(
        RUNS,
        run="20260131T033000Z-pause-1a2b3c",
        status="finished",
        by="root on vm",
        counts="103 updated, 22 unchanged",
    )
    heading, _ = table(RUNS, [run], width=80)
    assert "by" in heading.split()  # what an audit asks first, and more than where


def test_a_change_says_to_what_at_80_columns() -> None:
    what = "ProvisionedPollerConfig.MaximumPollers: 200 -> 20"
    _, line = table(PLAN_COLUMNS, [row(PLAN_COLUMNS, action="update", what=what)], width=80)
    assert line.endswith("lers: 200 -> 20")


def test_no_column_takes_what_another_needs_at_80_columns() -> None:
    cells = {"function": "billing-invoice-notify:prod", "action": "unchanged", "what": "Enabled: true -> false"}
    _, line = table(PLAN_COLUMNS, [row(PLAN_COLUMNS, **cells)], width=80)
    assert line.endswith("unchanged  Enabled: true -> false")


def test_each_column_has_its_place() -> None:
    assert {*LIST, *PLAN_COLUMNS, *RESULT_COLUMNS, *FLEET, *RUNS} <= COLUMNS.keys()


class Terminal(io.TextIOWrapper):
    """A stdout that is a terminal, of a size that it does not tell."""

    def isatty(self) -> bool:
        return True


def written(
    form: str, monkeypatch: pytest.MonkeyPatch, *cells: str, encoding: str = "utf-8", **environment: str
) -> str:
    bytes_ = io.BytesIO()
    terminal = Terminal(bytes_, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    results = Results(form, ("uuid", "function", "why"), tuple)  # type: ignore[arg-type]
    results.add(cells)
    results.finish()
    return bytes_.getvalue().decode(encoding)


def test_a_terminal_decides_and_columns_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    cells = (UUID, "f" * 64, "w" * 200)
    assert max(map(len, written("table", monkeypatch, *cells).splitlines())) == 80
    assert max(map(len, written("table", monkeypatch, *cells, COLUMNS="60").splitlines())) == 60
    manner(wide=True)
    assert all(cell in written("table", monkeypatch, *cells) for cell in cells)


@pytest.mark.parametrize("form", ["table", "csv", "jsonl"])
def test_a_file_gets_all(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = Results(form, ("uuid", "function", "why"), tuple)  # type: ignore[arg-type]
    results.add((UUID, "f" * 64, "w" * 200))
    results.finish()
    out = capsys.readouterr().out
    assert all(cell in out for cell in (UUID, "f" * 64, "w" * 200))


@pytest.mark.parametrize("form", ["table", "csv"])
def test_hostile_names_are_inert(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = written(form, monkeypatch, UUID, HOSTILE, "=1+1", NO_COLOR="1")
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert r"a\u001b[2J<script>" in shown
    assert form == "table" or "'=1+1" in shown


def test_a_terminal_that_knows_no_ellipsis(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "~" in written("table", monkeypatch, UUID, "f" * 64, "w" * 200, encoding="latin-1")
