"""Text from outside is shown, and commands no terminal and no spreadsheet."""

import ast
import io
import sys
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

import bulk_esm.cli
from bulk_esm.cli.live import one_line, title_line
from bulk_esm.cli.output import Results
from bulk_esm.cli.screen import Screen
from bulk_esm.cli.streams import say
from bulk_esm.escaping import escaped, escaped_line
from bulk_esm.logs import get_logger, log_to_stderr

HOSTILE = "a\x1b[2J\x1b]0;title\x07b\rc\x9b31md\u202ee\u2066f\x7fg"
SHOWN = r"a\u001b[2J\u001b]0;title\u0007b\u000dc\u009b31md\u202ee\u2066f\u007fg"
CLI = Path(bulk_esm.cli.__file__).parent


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


def commands(text: str) -> list[str]:
    """What of a text a terminal would obey."""
    return [each for each in text if unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t"]


@given(st.text(st.characters()))
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    assert commands(escaped(text)) == []
    assert not {unicodedata.bidirectional(each) for each in escaped(text)} & {"RLO", "LRO", "RLE", "LRE", "RLI", "PDF"}
    assert escaped(escaped(text)) == escaped(text)
    assert len(escaped_line(text).splitlines()) <= 1
    assert escaped("".join(each for each in text if each.isprintable())).isprintable()


def test_ordinary_text_stays_as_it_is() -> None:
    assert escaped("Größe: 5 µs, ключ, 鍵, 🔑\n\tgo") == "Größe: 5 µs, ключ, 鍵, 🔑\n\tgo"
    assert escaped(HOSTILE) == SHOWN


def test_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"run {HOSTILE}")
    assert capsys.readouterr().err == f"run {SHOWN}\n"


@pytest.mark.parametrize("picture", [HOSTILE, Text(HOSTILE, "red"), one_line(HOSTILE), title_line(HOSTILE, 1, 2)])
def test_what_is_shown_live(picture: str | Text) -> None:
    screen = Screen(file=io.StringIO(), width=200, color_system=None, force_terminal=True)
    with screen.capture() as captured:
        screen.print(picture)
    assert commands(captured.get()) == []
    assert r"a\u001b[2J\u001b]0;title" in captured.get()


def results(form: str, *cells: str) -> None:
    written = Results(form, ("one", "two"), tuple)  # type: ignore[arg-type]
    written.add(cells)
    written.finish()


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    results("table", HOSTILE, "x\ny")
    assert capsys.readouterr().out.splitlines()[1].split() == [SHOWN, r"x\u000ay"]


def test_json_lines_stay_the_same_to_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    results("jsonl", HOSTILE, "x\ny\tz")
    out = capsys.readouterr().out
    assert commands(out) == []
    assert msgspec.json.decode(out) == [HOSTILE, "x\ny\tz"]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_formulas_in_csv(cell: str, capsys: pytest.CaptureFixture[str]) -> None:
    results("csv", cell, "a=1")
    assert capsys.readouterr().out.replace('"', "").split("\n", 1)[1] == f"'{cell},a=1\n"


def test_what_is_not_there_is_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    results("csv", "x", "-")
    assert capsys.readouterr().out.splitlines()[1] == "x,-"


def test_csv_at_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    results("csv", "x\x1b[2J", "-")
    assert "x\x1b[2J,-" in capsys.readouterr().out
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    results("csv", "x\x1b[2J", "-")
    assert terminal.getvalue().endswith("x\\u001b[2J,-\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_logs(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001 - a parameter of the test
    log_to_stderr("debug", as_json=as_json)
    try:
        int(HOSTILE + "\ud800")
    except ValueError:
        get_logger("test").warning("seen", exc_info=True, role=HOSTILE, several=[HOSTILE])
    err = capsys.readouterr().err
    assert commands(err) == []
    assert "title" in err


def test_all_ways_to_a_terminal_are_these() -> None:
    ways = {
        (path.name, name)
        for path in CLI.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (name := ast.unparse(node.func)) in {"print", "input", "Console", "sys.stderr.write", "sys.stdout.write"}
    }
    assert ways == {
        ("__init__.py", "print"),  # the version
        ("simulate.py", "print"),  # what the shell is to set
        ("streams.py", "sys.stderr.write"),
        ("output.py", "print"),
        ("output.py", "sys.stdout.write"),
    }
