"""The blocks of code in README.md and docs/: what they are, and which of them are not run, and why.

python tests/documents.py        lists those that are not run

A comment on the line before a block says what is done with it; a comment is seen neither on the site nor on GitHub:

    <!-- not run: why -->        nothing
    <!-- parsed only: why -->    its commands are read, and nothing is sent
    <!-- exit: 2 -->             its last command ends with that
    <!-- file: NAME -->          it is a file that later commands of the page find
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
DOCUMENTS: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SHELL: Final = "sh"
_BLOCK: Final = re.compile(
    r"(?:^<!-- (?P<how>[a-z ]+): (?P<what>[^\n]*) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_INDENTED: Final = re.compile(r"^ {4}(?:\$ )?(bulk-esm .*)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"(?:^|\s+)#.*$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: where it begins.
        language: as it says.
        how: what is done with it, if a comment says so: `not run`, `parsed only`, `exit` or `file`.
        what: what that comment says.
        text: what is in it.
    """

    line: int
    language: str
    how: str | None
    what: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a block of shell, without comments."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        lines = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
        return [line for line in lines if line]


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document, but for what Sphinx makes something of."""
    text = document.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        if found["language"].startswith("{"):
            continue
        line = text.count("\n", 0, found.start("language")) + 1
        yield Block(line, found["language"].strip(), found["how"], found["what"] or "", found["text"])


def indented_commands(document: Path) -> list[str]:
    """The commands of indented blocks, which are read and not run."""
    text = re.sub(r"\\\n\s*", " ", document.read_text(encoding="utf-8"))
    return [re.sub(r"\s+(#|>).*$", "", command) for command in _INDENTED.findall(text)]


if __name__ == "__main__":
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.how in {"not run", "parsed only"}:
                print(f"{document.relative_to(ROOT)}:{block.line}: {block.how}: {block.what}")  # noqa: T201
