"""Objects of a run in S3 that are damaged or missing: refused, under the name by which they are found there."""

from pathlib import Path

import pytest
from cli_harness import FAST, Inside
from cli_s3 import World
from s3_server import BUCKET, S3Server

pytest_plugins = ("cli_s3_fixtures",)

COMMANDS = (("show", "last"), ("verify", "last"), ("continue", "last", "--yes"), ("rollback", "last", "--yes"))


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(("name", "is_missing"), [("plan.jsonl", False), ("results.jsonl", True), ("run.json", False)])
def test_what_is_damaged_or_missing_is_named_as_it_is_in_s3(
    world: World, inside: Inside, name: str, *, is_missing: bool
) -> None:
    """On this disk, where it was read, it is gone by the time that somebody looks for it."""
    environment = world.machine("first").environment
    assert inside(environment, "pause", "--all", "--yes", *FAST).code == 0
    [key] = [key for key in world.s3.keys(f"{world.prefix}/2") if key.endswith(f"/{name}")]
    spoil(world.s3, key, is_missing=is_missing)
    updates = world.simulated.report().count("update")
    for command in COMMANDS:
        refused = inside(environment, *command)
        assert refused.code == 2, refused.stderr
        assert f"s3://{BUCKET}/{key}" in refused.stderr.splitlines()[-1]
        assert str(world.folder / "first") not in refused.stderr
    [listed] = inside(environment, "runs").records
    assert (listed["reason"] or "").startswith(f"s3://{BUCKET}/{key}") == (name == "run.json")
    salvaged = inside(environment, "show", "last", "--salvage")
    assert str(world.folder / "first") not in salvaged.stderr
    assert world.simulated.report().count("update") == updates


def spoil(s3: S3Server, key: str, *, is_missing: bool) -> None:
    if is_missing:
        s3.delete(key)
    else:
        body = s3.bodies(key)[key]
        s3.put(key, body[: len(body) // 2])
