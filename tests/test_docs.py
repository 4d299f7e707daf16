"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_PLACE = re.compile(r"`((?:bulk_esm|tests|benchmarks|scripts|docs)/[^\s`:]*)`")
_TO_FILL_IN = re.compile(r"NAME|\*")


@pytest.mark.parametrize(
    "document", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_every_file_and_folder_that_is_named_is_there(document: Path) -> None:
    named = [place for place in _PLACE.findall(document.read_text(encoding="utf-8")) if not _TO_FILL_IN.search(place)]
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_architecture_names_files() -> None:
    assert len(_PLACE.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))) > 20
