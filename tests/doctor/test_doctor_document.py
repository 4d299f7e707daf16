"""The table of docs/doctor.md is that of the code."""

from pathlib import Path

from bulk_esm.model.permissions import NEEDS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")


def code(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def test_the_table_of_permissions() -> None:
    _, table = DOCUMENT.split("| IAM actions | needed for | without |\n|---|---|---|\n")
    rows = [f"| {code(need.actions)} | {code(need.flags) or 'all'} | {need.without} |" for need in NEEDS]
    assert table.split("\n\n")[0].splitlines() == rows
