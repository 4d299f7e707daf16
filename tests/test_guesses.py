"""docs/guesses.md lists every guess in the package, as the comments that begin with `# Guess: ` state them.

python tests/test_guesses.py --write        makes the list anew
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

if __name__ == "__main__":  # pytest has it on its path
    sys.path.append(str(Path(__file__).parent.parent / "scripts"))

from probing.steps import STEPS

ROOT: Final = Path(__file__).parent.parent
TABLE: Final = ROOT / "docs" / "guesses.md"
COMMAND: Final = "python tests/test_guesses.py --write"
_MARK: Final = "# Guess: "
_STEPS_MARK: Final = "Probe steps: "  # of the last line of a guess, with the names of the steps that tell
_HEAD: Final = f"""\
# What is guessed

What this project takes for granted about Lambda without a document or a capture that says so. Each line is a comment in
the code; `{COMMAND}` collects them. Where the last column names steps of
`scripts/probe`, that asks AWS about it: give it a mapping of the source type, put its file into `tests/recordings`, and
run the tests there.

| where | what is guessed | how to check |
|---|---|---|
"""


def guesses(text: str) -> Iterator[str]:
    """The guesses in one file: each begins with the mark and ends with its comment, or where the next begins."""
    guess: list[str] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if guess and (not stripped.startswith("#") or stripped.startswith(_MARK)):
            yield " ".join(guess)
            guess = []
        if stripped.startswith(_MARK):
            guess = [stripped.removeprefix(_MARK)]
        elif guess:
            guess.append(stripped.lstrip("# "))


def table(root: Path) -> str:
    """The whole document."""
    rows = [
        f"| `{file.relative_to(root).as_posix()}` | {said.replace('|', chr(92) + '|')} | {_checked_by(steps)} |\n"
        for file in sorted((root / "bulk_esm").rglob("*.py"))
        for guess in guesses(file.read_text(encoding="utf-8"))
        for said, _, steps in [guess.partition(f" {_STEPS_MARK}")]
    ]
    return _HEAD + "".join(rows)


def _checked_by(steps: str) -> str:
    return f"`scripts/probe`: {steps}" if steps else ""


def test_the_steps_that_tell_are_steps_of_the_probe() -> None:
    known = {one.name for step in STEPS for one in (step, *step.within)}
    named = [
        name
        for file in (ROOT / "bulk_esm").rglob("*.py")
        for guess in guesses(file.read_text(encoding="utf-8"))
        for name in guess.partition(f" {_STEPS_MARK}")[2].split(", ")
        if name
    ]
    assert named
    assert set(named) <= known


def test_the_table_is_what_the_code_says() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(ROOT), f"docs/guesses.md is stale: run `{COMMAND}`"


def test_no_mark_is_overlooked_for_its_spelling() -> None:
    lines = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in sorted((ROOT / "bulk_esm").rglob("*.py"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if "# guess" in line.casefold() and not line.strip().startswith(_MARK)
    ]
    assert not lines, f"write a guess as a comment of its own that begins with {_MARK!r}"


def test_a_guess_ends_with_its_comment_or_with_the_next_guess(tmp_path: Path) -> None:
    (tmp_path / "bulk_esm").mkdir()
    (tmp_path / "bulk_esm" / "a.py").write_text(
        "# Guess: Settling takes a second;\n#   a capture | a probe would tell.\n# Probe steps: flip, no-op\nx = 1\n"
        "# No guess (F§1).\n"
        "def f():\n    # Guess: One.\n    # Guess: Two.\n    return 1\n# Guess: At the end."
    )
    assert table(tmp_path).removeprefix(_HEAD) == (
        "| `bulk_esm/a.py` | Settling takes a second; a capture \\| a probe would tell. "
        "| `scripts/probe`: flip, no-op |\n"
        "| `bulk_esm/a.py` | One. |  |\n"
        "| `bulk_esm/a.py` | Two. |  |\n"
        "| `bulk_esm/a.py` | At the end. |  |\n"
    )


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(f"usage: {COMMAND}")
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(ROOT), encoding="utf-8")
