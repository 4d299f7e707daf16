"""Damaged files: a report says which one, or tells what is whole; it never ends otherwise."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from report_world import START, World

from bulk_esm.errors import RunFolderError
from bulk_esm.report.facts import report_of
from bulk_esm.report.writing import rendered
from bulk_esm.store.run_files import RunFiles


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Cut, with a line that is none, or with other values: as a disk, an editor or a stranger might have left it."""
    lines = content.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    kind = dice.randrange(5)
    if kind == 0:
        return content[: dice.randrange(len(content))]
    if kind == 1:
        lines[at] = b"[" * 2_000 + b"\n"
    elif kind == 2:
        lines[at] = lines[at].replace(b"2026", b"20x6").replace(b'"wave":1', b'"wave":null')
    elif kind == 3:
        lines[at] = lines[at].replace(b'"BatchSize"', b'"<b>"').replace(b":7", b":[[1]]")
    else:
        lines[at] = b"\x00\xff" + lines[at]
    return b"".join(lines)


@pytest.mark.parametrize("salvage", [False, True], ids=["as it is", "salvaged"])
@pytest.mark.parametrize("is_fleet", [True, False], ids=["fleet", "home"])
def test_damage_is_refused_by_the_name_of_its_file_or_told(tmp_path: Path, *, is_fleet: bool, salvage: bool) -> None:
    world = World(tmp_path, mappings=24, is_fleet=is_fleet)
    paths = sorted(path for path in world.files.path.rglob("*") if path.is_file())
    dice = random.Random(3)  # noqa: S311 - the same damages each time
    refused = made = 0
    for path in paths * 3:
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, dice))
        try:
            report = report_of(RunFiles(world.files.path, salvage=salvage), made_at=START)
        except RunFolderError as error:
            told = str(error)
            refused += 1
        else:
            for form in ("html", "markdown", "json"):
                assert rendered(report, form)
            told = path.name
            made += 1
        assert path.parent.name in told or path.name in told
        path.write_bytes(whole)
    assert made > 0
    assert refused > 0
