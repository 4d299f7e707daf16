"""`--uuid` takes the beginning of a UUID: it is resolved with one List before anything is sent, and never guessed."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from cli_harness import ACCOUNT, FAST, Cli, Inside, Simulated

from bulk_esm.simulator import Kind, make_fleet

YES = ("--yes", *FAST)
OTHER = "222222222222"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=30) as found:
        yield found


def beginning_of(uuid: str, uuids: list[str]) -> str:
    """The shortest beginning that the command line takes and no other has."""
    return next(uuid[:n] for n in range(4, 37) if [each[:n] for each in uuids].count(uuid[:n]) == 1)


def test_list_finds_it_by_its_beginning(inside: Inside, simulated: Simulated) -> None:
    uuids = list(simulated.mappings())
    done = inside(simulated.environment, "list", "--uuid", beginning_of(uuids[7], uuids).upper(), *FAST)
    assert (done.code, [record["uuid"] for record in done.records]) == (0, [uuids[7]])


def test_whole_uuids_take_no_list_of_all(inside: Inside, simulated: Simulated) -> None:
    uuids = list(simulated.mappings())
    before = simulated.report()
    assert inside(simulated.environment, "list", "--uuid", uuids[0], *FAST).code == 0
    after = simulated.report()
    assert sum(after.count(kind) - before.count(kind) for kind in (Kind.LIST, Kind.GET)) == 1


def test_a_change_is_sent_to_it_alone(inside: Inside, tmp_path: Path) -> None:
    with Simulated(mappings=30) as world:
        uuids = [uuid for uuid, state in world.states().items() if state == "Enabled"]
        done = inside(world.environment, "pause", "--uuid", beginning_of(uuids[3], list(world.mappings())), *YES)
        assert done.code == 0, done.stderr
        assert [uuid for uuid, count in world.accepted().items() if count] == [uuids[3]]
        assert Cli(tmp_path).last_run().outcomes == {uuids[3]: "updated"}


def test_requests_are_narrowed_by_a_beginning(inside: Inside, tmp_path: Path, simulated: Simulated) -> None:
    uuids = list(simulated.mappings())
    lines = [msgspec.json.encode({"UUID": uuid, "BatchSize": 3}).decode() for uuid in uuids]
    (tmp_path / "r.jsonl").write_text("\n".join(lines), encoding="utf-8")
    wanted = ("--requests", "r.jsonl", "--uuid", beginning_of(uuids[5], uuids))
    assert [record["uuid"] for record in inside(simulated.environment, "plan", *wanted, *FAST).records] == [uuids[5]]


def alike() -> Simulated:
    """Two shards, in which two mappings begin alike, one in each."""
    return Simulated(mappings=5)


@pytest.mark.parametrize("command", [("list",), ("plan", "--set", "BatchSize=3"), ("pause", *YES)], ids=" ".join)
def test_what_fits_several_or_none_is_refused(command: tuple[str, ...], inside: Inside, simulated: Simulated) -> None:
    before = simulated.report().count(Kind.UPDATE)
    first = sorted(simulated.mappings())[0]
    none = next(f"{n:04x}" for n in range(65536) if not any(u.startswith(f"{n:04x}") for u in simulated.mappings()))
    done = inside(simulated.environment, *command, "--uuid", none, *FAST)
    assert (done.code, done.stdout) == (2, "")
    assert f"--uuid {none}: no mapping has a UUID that begins so" in done.stderr
    # In a fleet of two accounts that have the same mappings, each fits twice... and its whole UUID is one all the same.
    assert simulated.report().count(Kind.UPDATE) == before
    assert first


def test_two_mappings_of_a_fleet_that_begin_alike(inside: Inside) -> None:
    with Simulated(mappings=40) as world:
        fleet = ("--accounts", f"{ACCOUNT},{OTHER}", "--regions", "us-east-1", "--role-name", "x")
        uuids = [record["uuid"] for record in inside(world.environment, "list", *fleet, *FAST).records]
        assert len(uuids) == 80
    assert make_fleet
