"""A room imports only rooms above it: whatever is imported, at the top of a file, in a function, or for types alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bulk_esm

PACKAGE = Path(bulk_esm.__file__).parent
ROOMS = (
    ("errors", "clock", "logs", "escaping", "_version"),
    ("model",),
    ("aws",),
    ("store",),
    ("report",),
    ("observers",),
    ("simulator",),
    ("engine",),
    ("gates",),
    ("executors",),
    ("shards",),
    ("runs",),
    ("doctor",),
    ("bulk", "api"),
    ("cli",),
)
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
WAYS_IN = ("__init__", "__main__")  # the package itself and its command: below all rooms, and of no use to any


def imported(source: str) -> Iterator[str]:
    """The modules of this package that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [f"bulk_esm.{'.' * node.level}{node.module or ''}"]  # ruff lets none pass, and no room is called so
        elif isinstance(node, ast.ImportFrom):
            is_package = node.module == "bulk_esm"
            names = [f"bulk_esm.{alias.name}" for alias in node.names] if is_package else [node.module or ""]
        yield from (name for name in names if name.partition(".")[0] == "bulk_esm")


def violations(room: str, source: str) -> list[str]:
    below = len(ROOMS)
    return [
        name for name in imported(source) if LEVELS.get(name.partition(".")[2].partition(".")[0], below) > LEVELS[room]
    ]


def test_imports_go_only_upward() -> None:
    found = [
        f"{path.relative_to(PACKAGE.parent)} imports {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (room := path.relative_to(PACKAGE).parts[0].removesuffix(".py")) not in WAYS_IN
        for name in violations(room, path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_room_has_its_level() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - set(WAYS_IN) == set(LEVELS)


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("model", "import bulk_esm.aws.session", ["bulk_esm.aws.session"]),
        ("model", "from bulk_esm import aws, errors", ["bulk_esm.aws"]),
        ("model", "from bulk_esm import Change", ["bulk_esm.Change"]),
        ("model", "import bulk_esm", ["bulk_esm"]),
        ("model", "from ..aws import session", ["bulk_esm...aws"]),
        ("model", "def f():\n    from bulk_esm.runs.run import Run", ["bulk_esm.runs.run"]),
        ("model", "if TYPE_CHECKING:\n    from bulk_esm.cli.app import app", ["bulk_esm.cli.app"]),
        ("errors", "from bulk_esm.model.plan import Plan", ["bulk_esm.model.plan"]),
        ("model", "from bulk_esm.model.plan import Plan\nfrom bulk_esm.errors import UsageError\nimport anyio", []),
        ("cli", "from bulk_esm.api import connect\nfrom bulk_esm.executors import remote", []),
    ],
)
def test_imports_are_found_wherever_they_are(room: str, source: str, found: list[str]) -> None:
    assert violations(room, source) == found
