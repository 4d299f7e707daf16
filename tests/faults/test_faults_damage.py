"""Damaged run folders at the shell: refused with what is wrong, or salvaged and said; never silently less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from cli_harness import FAST, Cli, Done, Inside, Simulated

from bulk_esm.model.records import RunStatus
from bulk_esm.simulator import Kind
from bulk_esm.store.shard_files import ShardFiles

MAPPINGS = 10
YES = ("--yes", *FAST)
FLEET = ("--regions", "us-east-1,eu-west-1")
COMMANDS = [("continue", "last"), ("rollback", "last"), ("resume", "--run", "last")]


def lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


class Damage(NamedTuple):
    name: str
    does: Callable[[bytes], bytes]
    says: str


DAMAGES = [
    Damage("cut at a line break", lambda whole: b"".join(lines(whole)[:4]), "it has 4 lines, and 10 were written"),
    Damage("emptied", lambda _: b"", "it has 0 lines, and 10 were written"),
    Damage("a line twice", lambda whole: lines(whole)[0] + whole, "it has 11 lines, and 10 were written"),
    Damage(
        "a line for another",
        lambda whole: lines(whole)[0] * 2 + b"".join(lines(whole)[2:]),
        "a line is not what was written",
    ),
]


class Half:
    """A run that was killed halfway: all is accepted, and some of it has results."""

    def __init__(self, tmp_path: Path, inside: Inside, simulated: Simulated, flags: tuple[str, ...]) -> None:
        self.inside, self.simulated = inside, simulated
        self.before = {each.uuid: each.state for each in simulated.report().mappings}
        assert inside(simulated.environment, "pause", "--all", *YES, *flags).code == 0
        [self.run] = Cli(tmp_path).run_folders()
        self.before |= {each.uuid: "Enabled" for each in simulated.report().mappings if each.accepted_count}
        self.before = {each.uuid: self.before.get(each.uuid, each.state) for each in simulated.report().mappings}
        self.shard = next((path for path in self.run.glob("shards/*us-east-1")), self.run)
        results = self.shard / "results.jsonl"
        self.kept = lines(results.read_bytes())[:5]
        results.write_bytes(b"".join(self.kept) + b'{"run_id":"torn')
        for folder in {self.run, self.shard}:
            files = ShardFiles(folder)
            at_work = {"status": RunStatus.RUNNING, "ended_at": None, "results": None}
            files.write_record(msgspec.structs.replace(files.record(), **at_work))
        self.accepted = simulated.accepted()
        self.updates = simulated.report().count(Kind.UPDATE)

    def __call__(self, *command: str) -> Done:
        return self.inside(self.simulated.environment, *command, *YES)

    def file(self, name: str) -> Path:
        return self.shard / name if (self.shard / name).exists() else self.run / name

    def states(self) -> dict[str, str | None]:
        return {each.uuid: each.state for each in self.simulated.report().mappings}

    def results(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in lines((self.shard / "results.jsonl").read_bytes())]

    def check_nothing_was_done(self, done: Done, before: dict[Path, bytes], says: str) -> None:
        assert done.code == 2
        assert done.stdout == ""
        assert says in done.stderr
        assert "please report" not in done.stderr
        assert self.simulated.report().count(Kind.UPDATE) == self.updates
        assert self.files() == before

    def files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.run.rglob("*.json*")}


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(params=[(), FLEET], ids=["one shard", "fleet"])
def half(tmp_path: Path, inside: Inside, request: pytest.FixtureRequest) -> Iterator[Half]:
    with Simulated(mappings=MAPPINGS) as simulated:
        yield Half(tmp_path, inside, simulated, request.param)


def test_a_damaged_plan_is_refused_with_what_can_be_done(half: Half) -> None:
    whole = half.file("plan.jsonl").read_bytes()
    for damage in DAMAGES:
        half.file("plan.jsonl").write_bytes(damage.does(whole))
        before = half.files()
        for command in COMMANDS:
            done = half(*command)
            half.check_nothing_was_done(done, before, f"plan.jsonl is damaged: {damage.says}; --salvage works with")


def test_what_is_whole_of_a_plan_is_continued_and_no_result_is_dropped(half: Half) -> None:
    path = half.file("plan.jsonl")
    path.write_bytes(b"".join(lines(path.read_bytes())[:4]))
    done = half("continue", "last", "--salvage")
    assert done.code == 0
    assert "plan.jsonl: of 6 lines nothing is known, and they are left out" in done.stderr
    planned = {msgspec.json.decode(line)["uuid"] for line in lines(path.read_bytes())}
    had = {msgspec.json.decode(line)["uuid"] for line in half.kept}
    uuids = [result["uuid"] for result in half.results()]
    assert sorted(uuids) == sorted(planned | had)  # each once, also those that the plan has lost
    assert half.simulated.accepted() == half.accepted


def test_what_is_whole_of_a_plan_is_put_back(half: Half) -> None:
    path = half.file("plan.jsonl")
    path.write_bytes(b"".join(lines(path.read_bytes())[:4]))
    planned = {msgspec.json.decode(line)["uuid"] for line in lines(path.read_bytes())}
    lost = {uuid for uuid in half.accepted if (half.shard / "begun.jsonl").read_text().count(uuid)} - planned
    done = half("rollback", "last", "--salvage")
    assert done.code == 0
    assert "of 6 lines nothing is known, and they are left out" in done.stderr
    assert half.states() == half.before | dict.fromkeys(lost, "Disabled")


def test_an_emptied_plan_leaves_the_results(half: Half) -> None:
    half.file("plan.jsonl").write_bytes(b"")
    before = half.files()
    half.check_nothing_was_done(half("continue", "last"), before, "it has 0 lines, and 10 were written")


def test_a_plan_with_a_line_twice_has_one_result_for_each_mapping(half: Half) -> None:
    path = half.file("plan.jsonl")
    path.write_bytes(lines(path.read_bytes())[-1] + path.read_bytes())
    done = half("continue", "last", "--salvage")
    assert done.code == 0
    assert "it names mappings twice, and the first line of each is taken" in done.stderr
    assert len(half.results()) == len({result["uuid"] for result in half.results()}) == MAPPINGS
    assert half.simulated.accepted() == half.accepted


def test_a_torn_last_line_is_cut_off_and_what_goes_is_kept(half: Half) -> None:
    results = half.shard / "results.jsonl"
    timed_out = {**msgspec.json.decode(half.kept[0]), "outcome": "timed_out", "update_calls": 1}
    results.write_bytes(msgspec.json.encode(timed_out) + b"\n" + b"".join(half.kept[1:]) + b'{"run_id":"torn')
    assert half("continue", "last").code == 0
    assert len(half.results()) == len({result["uuid"] for result in half.results()}) == MAPPINGS
    [old] = lines((half.shard / "results.old.jsonl").read_bytes())
    assert msgspec.json.decode(old) == timed_out
    assert half.simulated.accepted() == half.accepted


@pytest.mark.parametrize("name", ["results.jsonl", "begun.jsonl"])
def test_garbage_in_what_grows_is_refused_or_looked_at(half: Half, name: str) -> None:
    path = half.shard / name
    path.write_bytes(b"\xff what\n" + path.read_bytes())
    before = half.files()
    for command in COMMANDS:
        half.check_nothing_was_done(half(*command), before, f"{name}, line 1: ")
    done = half("continue", "last", "--salvage")
    assert done.code == 0
    assert f"damaged: {path.relative_to(half.run.parent.parent)}" in done.stderr
    assert len(half.results()) == len({result["uuid"] for result in half.results()}) == MAPPINGS
    assert half.simulated.accepted() == half.accepted
    assert half("continue", "last").code == 0  # it is whole again


def test_groups_that_lack_shards_are_refused_or_all_are_done(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=MAPPINGS) as simulated:
        half = Half(tmp_path, inside, simulated, FLEET)
        path = half.run / "fleet.json"
        path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), "groups": []}) + b"\n")
        before = half.files()
        for command in COMMANDS:
            half.check_nothing_was_done(half(*command), before, "fleet.json is damaged: a line is not what was written")
        done = half("continue", "last", "--salvage")
        assert done.code == 0
        assert "fleet.json: it is not what was written, and shards may be missing" in done.stderr
        assert len(half.results()) == MAPPINGS
        record = msgspec.json.decode((half.run / "run.json").read_bytes())
        assert sum(record["counts"].values()) == 2 * MAPPINGS


def test_a_saved_plan_ends_with_its_own_count_and_digest(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=MAPPINGS) as simulated:
        assert inside(simulated.environment, "plan", "--all", "--set", "Enabled=false", "--save", "p", *FAST).code == 0
        path = tmp_path / "p"
        closing = msgspec.json.decode(lines(path.read_bytes())[-1])
        assert closing["lines"] == MAPPINGS
        assert len(closing["sha256"]) == 64
        path.write_bytes(b"".join(lines(path.read_bytes())[:4]))
        done = inside(simulated.environment, "apply", "--plan", "p", *YES)
        assert done.code == 2
        assert "has no closing line: it was cut or edited" in done.stderr
        assert simulated.report().count(Kind.UPDATE) == 0
        done = inside(simulated.environment, "apply", "--plan", "p", "--salvage", *YES)
        assert done.code == 0
        assert "p: it is not as it was saved; 4 mappings have lines that are whole" in done.stderr
        assert sum(simulated.accepted().values()) <= 4
