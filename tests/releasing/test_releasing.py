"""What keeps a state of the repository from being released."""

from pathlib import Path

import pytest
from releasing import changelog_problem, tree_problem, version_of

import bulk_esm

ROOT = Path(__file__).parent.parent.parent


def test_the_version_is_the_packages() -> None:
    assert version_of((ROOT / "bulk_esm/_version.py").read_text()) == bulk_esm.__version__
    with pytest.raises(SystemExit, match="states no version"):
        version_of("version = 1\n")


def test_the_changelog_begins_with_a_version() -> None:
    first = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert first.startswith(f"## {bulk_esm.__version__} (")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# Changelog\n\n## 1.2.0 (2026-01-31)\n\n- new\n\n## 1.1.0 (2025-12-01)\n", None),
        ("# Changelog\n\n## 1.2.0 (not yet released)\n", "begins with '1.2.0 (not yet released)'"),
        ("# Changelog\n\n## 1.1.0 (2025-12-01)\n", "begins with '1.1.0 (2025-12-01)'"),
        ("# Changelog\n\n## 1x2.0 (2026-01-31)\n", "begins with '1x2.0"),
        ("", "begins with 'no heading'"),
    ],
)
def test_a_release_is_in_the_changelog_with_its_date(text: str, says: str | None) -> None:
    problem = changelog_problem(text, "1.2.0")
    assert problem is None if says is None else says in (problem or "")


@pytest.mark.parametrize(
    ("status", "tags", "says"),
    [
        ("", "v1.1.0\n", None),
        (" M README.md\n", "", "not committed"),
        ("", "v1.1.0\nv1.2.0\n", "v1.2.0 is tagged already"),
        ("", "v1.2.0-rc1\n", None),
    ],
)
def test_a_release_is_of_what_is_committed_and_new(status: str, tags: str, says: str | None) -> None:
    problem = tree_problem(status, tags, "1.2.0")
    assert problem is None if says is None else says in (problem or "")
