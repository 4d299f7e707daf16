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
    """A world in which one mapping of each of two accounts begins alike."""
    fleets = {account: make_fleet(8, account_id=account) for account in (ACCOUNT, OTHER)}
    for number, fleet in enumerate(fleets.values()):
        mapping = fleet.mappings[0]
        arn = mapping["EventSourceMappingArn"].rpartition(":")[0]
        mapping["UUID"] = f"abcdef0{number}-0000-4000-8000-000000000000"
        mapping["EventSourceMappingArn"] = f"{arn}:{mapping['UUID']}"
    other = {(OTHER, "us-east-1"): fleets[OTHER]}
    return Simulated(fleet=fleets[ACCOUNT], mappings=0, fleets=other)


FLEET = ("--accounts", f"{ACCOUNT},{OTHER}", "--regions", "us-east-1", "--role-name", "x")
BOTH = "fits 2 mappings: abcdef00-0000-4000-8000-000000000000, abcdef01-0000-4000-8000-000000000000; give more of"


REFUSED = (("list",), ("plan", "--set", "BatchSize=3"), ("pause", "--yes"))


@pytest.mark.parametrize("command", REFUSED, ids=lambda one: one[0])
def test_what_fits_several_in_a_fleet_or_none_is_refused(command: tuple[str, ...], inside: Inside) -> None:
    with alike() as world:
        both = inside(world.environment, *command, "--uuid", "abcdef0", *FLEET, *FAST)
        none = inside(world.environment, *command, "--uuid", "0000", *FAST)
        one = inside(world.environment, "plan", "--set", "BatchSize=3", "--uuid", "abcdef01", *FLEET, *FAST)
        assert world.report().count(Kind.UPDATE) == 0
    assert (both.code, both.stdout, none.code) == (2, "", 2)
    assert f"--uuid abcdef0 {BOTH}" in both.stderr
    assert "--uuid 0000: no mapping has a UUID that begins so" in none.stderr
    assert [record["uuid"][:8] for record in one.records] == ["abcdef01"]


def test_files_need_whole_ones(inside: Inside, tmp_path: Path, simulated: Simulated) -> None:
    (tmp_path / "uuids").write_text("0178c43c\n", encoding="utf-8")
    done = inside(simulated.environment, "list", "--from-file", "uuids", *FAST)
    assert done.code == 2
    assert "is not a mapping's UUID (36 characters)" in done.stderr
