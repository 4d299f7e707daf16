"""A report tells what a run's files tell: of one place or a fleet, of any version, in bounded space."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from report_world import RATE, REASON, REFUSED, RUN_ID, START, World, at

from bulk_esm.model.plan import Action
from bulk_esm.report import tally
from bulk_esm.report.facts import report_of
from bulk_esm.report.plan_facts import report_of_plan
from bulk_esm.report.records import Report
from bulk_esm.report.timeline import cumulative, floor_of
from bulk_esm.report.writing import rendered
from bulk_esm.store.run_files import RunFiles

OLD_RUNS = sorted((Path(__file__).parents[1] / "fixtures/runs").glob("*/runs/[0-9]*"))


def made(files: RunFiles) -> Report:
    return report_of(files, made_at=START, named=f"runs/{RUN_ID}")


@pytest.mark.parametrize("is_fleet", [True, False], ids=["fleet", "home"])
def test_counts_are_those_of_the_files(tmp_path: Path, *, is_fleet: bool) -> None:
    world = World(tmp_path, is_fleet=is_fleet)
    report = made(world.files)
    items = [item for plan in world.plans.values() for item in plan.items]
    assert report.run is not None
    assert report.run.counts == world.counts
    assert Counter(row.outcome for row in report.mappings) == world.counts
    assert {row.uuid for row in report.mappings} == {item.uuid for item in items}
    assert report.planned.total == len(items)
    assert report.planned.actions == Counter(str(item.action) for item in items)
    assert sum(sum(wave.counts.values()) for wave in report.waves) == len(items)
    assert report.left_out == {}
    assert len(report.shards) == (4 if is_fleet else 0)


def test_who_what_when_and_why(tmp_path: Path) -> None:
    report = made(World(tmp_path).files)
    assert report.run is not None
    [invocation] = report.run.invocations
    assert (invocation.user, invocation.host) == ("alice", "build-7")
    assert (report.run.status, report.run.reason, report.run.took_s) == ("halted", REASON, 100.0)
    assert report.title == report.run.run_id == RUN_ID


def test_each_mapping_has_its_change_times_and_request_id(tmp_path: Path) -> None:
    world = World(tmp_path, is_fleet=False)
    report = made(world.files)
    [results], [plan] = world.results.values(), world.plans.values()
    rows = {row.uuid: row for row in report.mappings}
    for item, result in zip(plan.items, results, strict=True):
        row = rows[item.uuid]
        assert (row.accepted_at, row.settled_at, row.ended_at) == (
            result.accepted_at,
            result.settled_at,
            result.ended_at,
        )
        assert row.wave == result.wave
        assert (row.request_id == "r-1") == (result.error == REFUSED)
        assert ("BatchSize" in row.change) == (item.action is Action.UPDATE)


def test_waves_gates_and_happenings_are_those_of_the_log(tmp_path: Path) -> None:
    report = made(World(tmp_path).files)
    assert report.timeline is not None
    spans = [(span.kind, span.began_at, span.ended_at) for span in report.timeline.spans]
    assert ("hold", at(15.0), at(19.0)) in spans
    assert ("moon", at(15.5), at(18.0)) in spans  # which this version does not know
    assert ("soak", at(40.0), at(100.0)) in spans  # was cut off by the halt
    assert [wave.began_at for wave in report.waves][:2] == [at(0.9), at(20.0)]
    [gate] = report.gates
    assert gate.answers == {"go": 1, "halt": 1}
    told = {one.kind: one for one in report.timeline.happenings}
    halt = [one for one in report.timeline.happenings if one.kind == "gate_answered"][-1]
    assert (halt.tone, halt.lane, halt.lines[0]) == ("bad", "gate", "errors per minute: 312")
    assert told["an_event_of_the_future"].text == "an event of the future: verdict wait, moon full"
    assert told["asked"].text == "bob on desk said go"
    assert told["throttled"].lane == "trouble"


def test_gates_of_one_kind_are_told_apart(tmp_path: Path) -> None:
    world = World(tmp_path)
    log = world.files.path / "log.jsonl"
    one = '{"event": "gate_answered", "gate": "CommandGate", "name": "gate %r", "step": "%s", "at": "%s"}\n'
    answers = [one % (name, step, at(5.0)) for name, step in (("./a.sh", "go"), ("./b.sh", "go"), ("./b.sh", "wait"))]
    log.write_text("".join(answers), encoding="utf-8")
    report = made(world.files)
    assert {gate.gate: gate.answers for gate in report.gates} == {
        "gate './a.sh'": {"go": 1},
        "gate './b.sh'": {"go": 1, "wait": 1},
    }
    assert "| `gate './b.sh'` | `1 go, 1 wait` |" in rendered(report, "markdown")


def test_causes_are_grouped_and_have_commands(tmp_path: Path) -> None:
    world = World(tmp_path)
    report = made(world.files)
    [refused] = [cause for cause in report.causes if cause.outcome == "failed"]
    assert (refused.code, refused.count) == (REFUSED.code, world.counts["failed"])
    assert refused.shards == 3
    program = f'select(.outcome == "failed" and .error.code == "{REFUSED.code}")'
    [command] = refused.commands
    assert command.line == f"bulk-esm show runs/{RUN_ID} --output jsonl | jq -c '{program}'"
    assert report.causes[0].outcome == "failed"  # before what the plan left out, though that is more
    lines = [command.line for command in report.commands]
    assert f"bulk-esm continue runs/{RUN_ID}" in lines
    assert f"bulk-esm rollback runs/{RUN_ID}" in lines


def test_curves_end_at_what_was_accepted_and_settled(tmp_path: Path) -> None:
    world = World(tmp_path)
    report = made(world.files)
    assert report.timeline is not None
    updated = world.counts["updated"]
    assert report.timeline.accepted[-1][1] == report.timeline.settled[-1][1] == updated
    assert report.timeline.floor[-1][1] == updated
    assert all(one[0] <= other[0] for one, other in zip(report.timeline.floor, report.timeline.floor[1:], strict=False))


def test_floor_is_each_shards_own_rate_from_the_beginning_of_each_wave() -> None:
    sent = {(1, "a"): 10, (1, "b"): 20, (2, "a"): 5}
    assert floor_of(sent, {1: 100.0, 2: 200.0}, {"a": 10.0, "b": 10.0}, 100.0) == (
        (0.0, 0),
        (1.0, 20),
        (2.0, 30),
        (100.0, 30),
        (100.5, 35),
    )


def test_curve_of_many_is_thinned_and_reaches_the_last() -> None:
    points = cumulative([float(number) for number in range(10_007)], 0.0)
    assert len(points) <= 1_002
    assert points[-1] == (10_006.0, 10_007)
    assert cumulative([], 0.0) == ()
    assert cumulative([5.0, 3.0], 1.0) == ((2.0, 1), (4.0, 2))


def test_of_too_many_failures_are_shown_first_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    failed = world.counts["failed"]
    monkeypatch.setattr(tally, "MOST_ROWS", failed + 5)
    report = made(world.files)
    assert len(report.mappings) == failed + 5
    assert [row.outcome for row in report.mappings[:failed]] == ["failed"] * failed
    shown = Counter(row.outcome for row in report.mappings)
    assert shown + Counter(report.left_out) == world.counts
    assert report.run is not None
    assert sum(sum(one.counts.values()) for one in report.functions) == sum(report.run.counts.values())


def test_a_killed_run_has_mappings_without_a_result(tmp_path: Path) -> None:
    world = World(tmp_path, is_fleet=False)
    path = world.files.path / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:10]))
    report = made(RunFiles(world.files.path))
    assert report.run is not None
    assert report.run.counts["none"] == len(lines) - 10
    assert any("no result" in note for note in report.notes)


def test_a_log_that_was_torn_or_has_other_lines_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    world = World(tmp_path)
    log = world.files.path / "log.jsonl"
    log.write_bytes(log.read_bytes() + b'[1]\n{"event": 3, "at": null}\n\xff\xfe\n{"event": "stop')
    assert made(world.files).timeline == report_without_damage(tmp_path / "other").timeline
    assert any("lines of its log" in note for note in made(world.files).notes)


def test_of_too_many_happenings_the_first_and_the_last_are_kept_and_what_matters_is_not_pushed_out(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    log = world.files.path / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    answer = '{"event": "gate_answered", "gate": "AlarmGate", "step": "go", "stage": "during", "wave": 1, "at": "%s"}\n'
    many = [answer % at(1.0 + number / 10_000) for number in range(2_000)]
    log.write_text("".join([*lines[:3], *many, *lines[3:]]), encoding="utf-8")
    timeline, whole = made(world.files).timeline, made(World(tmp_path / "other").files).timeline
    assert timeline is not None
    assert whole is not None
    kinds = Counter(one.kind for one in timeline.happenings)
    assert kinds["run_ended"] == kinds["stopped"] == 1
    assert timeline.left_out > 0
    text = rendered(made(world.files), "markdown")
    assert "more, which --json has" in text
    assert text.count("nothing more is sent") == 1
    assert sum(kinds.values()) + timeline.left_out == 2_000 + len(whole.happenings)


def report_without_damage(folder: Path) -> Report:
    return made(World(folder).files)


@pytest.mark.parametrize("run", OLD_RUNS, ids=lambda run: run.parents[1].name)
def test_runs_of_older_versions(run: Path) -> None:
    files = RunFiles(run)
    report = report_of(files, made_at=START)
    assert report.run is not None
    planned = sum(entry.items for entry in files.fleet().shards)
    assert report.planned.total == len(report.mappings) == planned
    results = Counter(str(result.outcome) for result in files.results())
    assert {name: n for name, n in report.run.counts.items() if name != "none"} == results
    assert report.planned.groups
    assert report.run.invocations[0].argv == files.record().argv


def test_a_plan_has_no_run(tmp_path: Path) -> None:
    [plan] = World(tmp_path, is_fleet=False).plans.values()
    report = report_of_plan("plan.jsonl", plan.items, made_at=START)
    assert report.run is None
    assert [row.uuid for row in report.mappings] == [item.uuid for item in plan.items]
    assert report.planned.actions == Counter(str(item.action) for item in plan.items)
    [group] = report.planned.groups
    assert group.what == "set BatchSize to 7"
    assert sum(group.before.values()) == group.count == plan.count(Action.UPDATE)


def test_json_can_be_read_back(tmp_path: Path) -> None:
    report = made(World(tmp_path).files)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert report.timeline is not None
    assert report.timeline.rate == RATE
