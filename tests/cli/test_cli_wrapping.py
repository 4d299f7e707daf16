"""Messages wrap at words on a terminal, commands to paste stay whole, and nothing is wrapped elsewhere."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.cli.streams import say
from bulk_esm.cli.wrapping import wrapped

WORD = "nothing more is sent"
COMMAND = "bulk-esm rollback bulk-esm-runs/20260131T033000Z-pause-1a2b3c --max-failures 20 --skip-blocked"


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\n "), min_size=1, max_size=20), min_size=1))
def test_only_spaces_are_changed_and_no_word_is_broken(words: list[str]) -> None:
    text = " ".join(words)
    for width in (20, 40, 80):
        found = wrapped(text, width)
        assert found.split() == text.split()
        assert all(len(line) <= width or " " not in line.strip() for line in found.split("\n")) or "bulk-esm" in text


def test_what_is_wrapped_hangs() -> None:
    assert wrapped(f"  {WORD} {WORD}", 24) == "  nothing more is sent\n    nothing more is sent"
    assert wrapped(f"one\n  {WORD} {WORD}", 24).split("\n")[0] == "one"
    assert wrapped(WORD, 80) == WORD


def test_a_command_stays_whole_on_a_line_of_its_own() -> None:
    assert wrapped(f"  to put back what it changed: {COMMAND}", 80) == f"  to put back what it changed:\n    {COMMAND}"
    assert wrapped(f"  {COMMAND}", 80) == f"  {COMMAND}"
    assert wrapped(f"$ {COMMAND}", 80) == f"$ {COMMAND}"
    assert wrapped("left; to finish it: bulk-esm continue last", 80) == "left; to finish it: bulk-esm continue last"
    told = wrapped(
        "no run here still holds a paused mapping; `bulk-esm runs` shows what they were, each by its name", 60
    )
    assert max(map(len, told.split("\n"))) <= 60  # a sentence that names a command


def test_a_question_ends_as_it_is() -> None:
    assert wrapped("Update 31 mappings in account 123456789012? [y/N] ", 40).endswith("? [y/N] ")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_where_messages_are_wrapped(
    is_terminal: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "40")
    say(f"{WORD} {WORD} {WORD}\x1b[2J")
    lines = stream.getvalue().splitlines()
    assert len(lines) == (2 if is_terminal else 1)
    assert "\x1b" not in stream.getvalue()
