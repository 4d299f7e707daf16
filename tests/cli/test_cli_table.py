"""Every command in every place: the credentials' own account and Region, the same by fleet flags, and three shards.

The same command gives the same code, rows and files of a run in each place. Left out, as it makes no sense:

- `list` and `plan`: a failed mapping (nothing is sent) and interrupted (nothing is left behind).
- `apply --plan`, `resume --run`, and all that take a RUN: a bad --where, as they take no selection.
- `resume --run`: some blocked, as what is gone is a conflict.
- `continue`: some blocked, as what was blocked has its result.
- `verify`: some blocked, as a run sets nothing there; interrupted, as nothing is left behind.
- `show` and `runs`: a shard denied, as they ask AWS nothing; interrupted is a run that was.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from cli_harness import NO_SUCH_UUID, Inside, RunFiles
from cli_table import (
    HOME,
    LONG_SOAK,
    ONE,
    PLACES,
    SPEED,
    THREE,
    Place,
    Scene,
    Stages,
    plan_of,
    requests_of,
    results_of,
    scene,
    tree,
    whole_tree,
)

from bulk_esm.simulator import Faults

LIST = {"uuid", "function_arn", "event_source_arn", "source_type", "state", "configuration"}
PLAN = {"uuid", "function_arn", "event_source_arn", "source_type", "state", "action", "request", "diff", "problems"}
PLAN |= {"before"}
RESULT = {
    "run_id",
    "uuid",
    "function_arn",
    "event_source_arn",
    "source_type",
    "account_id",
    "region",
    "wave",
    "outcome",
}
RESULT |= {"state", "request", "error", "update_calls", "accepted_at", "settled_at", "ended_at", "duration_s"}
RUN = {"run_id", "command", "argv", "version", "account_id", "region", "started_at", "ended_at", "status", "counts"}
RUN |= {"requests"}

BAD_WHERE = ("--where", "abs(FunctionArn) > `1`")  # an ARN is no number
NOTHING = ("--function", "nothing-*")
BATCH = ("--set", "BatchSize=7")
FACTOR = ("--all", "--set", "ParallelizationFactor=3")  # which only streams have
YES = "--yes"

Rows = dict[str, str]  # what is told of each mapping, by UUID


def everything(there: Scene, what: str) -> Rows:
    return dict.fromkeys(there.before, what)


def nothing(_: Scene) -> Rows:
    return {}


def states(there: Scene) -> Rows:
    return {uuid: mapping["State"] for uuid, mapping in there.before.items()}


def all_(what: str) -> Callable[[Scene], Rows]:
    return lambda there: everything(there, what)


def enabled(what: str, *, others: str | None = None) -> Callable[[Scene], Rows]:
    """What becomes of the mappings that are Enabled, and of the others if they are told of."""
    return lambda there: {
        uuid: told for uuid, state in states(there).items() if (told := what if state == "Enabled" else others)
    }


def disabled(what: str, *, others: str | None = None) -> Callable[[Scene], Rows]:
    return lambda there: {
        uuid: told for uuid, state in states(there).items() if (told := what if state == "Disabled" else others)
    }


def streams(what: str, *, others: str) -> Callable[[Scene], Rows]:
    def rows(there: Scene) -> Rows:
        sources = {uuid: mapping.get("EventSourceArn", "") for uuid, mapping in there.before.items()}
        return {uuid: what if ":kinesis:" in arn or ":dynamodb:" in arn else others for uuid, arn in sources.items()}

    return rows


def changed(what: str) -> Callable[[Scene], Rows]:
    """Of the mappings that the newest run updated."""
    return lambda there: dict.fromkeys(updated_by(there.runs[-1]), what)


def all_but_the_first(what: str, of_the_first: str) -> Callable[[Scene], Rows]:
    """Of the mappings that the newest run updated, of which the first is gone since."""
    return lambda there: changed(what)(there) | {updated_by(there.runs[-1])[0]: of_the_first}


def left(what: str) -> Callable[[Scene], Rows]:
    """Of the mappings that the newest run did not get to."""
    return lambda there: {line["uuid"]: what for line in results_of(there.runs[-1]) if line["outcome"] == "not_started"}


def of_results(there: Scene) -> Rows:
    """As the newest run's results have it."""
    return {line["uuid"]: line["outcome"] for line in results_of(there.runs[-1])}


def updated_by(run: Path) -> list[str]:
    return [line["uuid"] for line in results_of(run) if line["outcome"] == "updated"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of the table: what is asked, of what, and what is right.

    Attributes:
        argv: the command line, without the flags of the place.
        stage: what was done before; see `STAGES`.
        code: the exit code; of three shards `code_of_three`, if that is another.
        rows: what stdout tells of each mapping.
        fields: that each line of stdout has.
        run: the status of a new run, or of the one that goes on; None if there is none, and the last is untouched.
        faults: what goes wrong.
        trouble: `denied` or `broken`: an account where that is so, the only one or one of three.
        out_of_reach: what is told of the mappings there; None if they are not told of.
        meanwhile: what somebody does before.
        interrupts: whether it is interrupted once an update was accepted.
        counts: the outcomes in place of `rows`, where it depends on the order which mapping has which.
    """

    argv: tuple[str, ...]
    stage: str = "new"
    code: int = 0
    code_of_three: int | None = None
    rows: Callable[[Scene], Rows] = nothing
    fields: set[str] = field(default_factory=set)
    run: str | None = None
    faults: dict[str, Any] = field(default_factory=dict)
    trouble: str | None = None
    out_of_reach: str | None = None
    meanwhile: Callable[[Scene], None] = lambda _: None
    interrupts: bool = False
    counts: Callable[[Scene], Counter[str]] | None = None

    def faults_in(self, place: Place) -> Faults:
        account: dict[str, Any] = {f"{self.trouble}_accounts": frozenset({place.troubled})} if self.trouble else {}
        return Faults(**self.faults, **account)

    def code_in(self, place: Place) -> int:
        return self.code_of_three if place is THREE and self.code_of_three is not None else self.code


def one_updated(rest: Callable[[Scene], Rows]) -> Callable[[Scene], Counter[str]]:
    """The first wave is one update; what else would have been updated is not started."""

    def counts(there: Scene) -> Counter[str]:
        found = Counter(rest(there).values())
        return found - Counter(updated=found["updated"] - 1) + Counter(not_started=found["updated"] - 1)

    return counts


def delete_a_paused_one(there: Scene) -> None:
    uuid = updated_by(there.runs[-1])[0]
    there.simulated.ask(lambda: there.simulated.simulator.delete_behind(uuid))


def begin_to_change_all(there: Scene) -> None:
    for uuid in there.before:
        there.simulated.change_behind(uuid, State="Updating")


def drift(there: Scene) -> None:
    there.simulated.change_behind(updated_by(there.runs[-1])[0], State="Enabled")


MANY_FAIL = ("--max-failures", "100%")
REFUSED = {"refused_share": 1.0}
DENIED: dict[str, Any] = {"trouble": "denied", "code": 5, "code_of_three": 1}
WHERE: dict[str, Any] = {
    "code": 2,
}
BROKEN: dict[str, Any] = {"trouble": "broken", "code": 2, "code_of_three": 1}

TABLE: dict[str, Case] = {
    # list
    "list: all well": Case(argv=("list",), rows=states, fields=LIST),
    "list: nothing selected": Case(argv=("list", *NOTHING)),
    "list: bad where": Case(argv=("list", *BAD_WHERE), **WHERE),
    "list: some unknown": Case(argv=("list", "--uuid", NO_SUCH_UUID), code=1),
    "list: denied": Case(argv=("list",), rows=states, fields=LIST, **DENIED),
    "list: broken": Case(argv=("list",), rows=states, fields=LIST, **BROKEN),
    # plan
    "plan: all well": Case(argv=("plan", "--all", *BATCH), rows=all_("update"), fields=PLAN),
    "plan: detailed exit code": Case(
        argv=("plan", "--all", *BATCH, "--detailed-exitcode"), code=2, rows=all_("update"), fields=PLAN
    ),
    "plan: some blocked": Case(argv=("plan", *FACTOR), rows=streams("update", others="blocked"), fields=PLAN),
    "plan: nothing selected": Case(argv=("plan", *NOTHING, *BATCH, "--detailed-exitcode")),
    "plan: bad where": Case(argv=("plan", *BAD_WHERE, *BATCH), **WHERE),
    "plan: denied": Case(argv=("plan", "--all", *BATCH), rows=all_("update"), fields=PLAN, **DENIED),
    "plan: broken": Case(argv=("plan", "--all", *BATCH), rows=all_("update"), fields=PLAN, **BROKEN),
    # apply
    "apply: all well": Case(argv=("apply", "--all", *BATCH, YES), rows=all_("updated"), run="finished"),
    "apply: dry run": Case(argv=("apply", "--all", *BATCH, "--dry-run"), rows=all_("update"), fields=PLAN),
    "apply: some blocked": Case(argv=("apply", *FACTOR, YES), code=2),
    "apply: the rest": Case(
        argv=("apply", *FACTOR, YES, "--skip-blocked"), rows=streams("updated", others="blocked"), run="finished"
    ),
    "apply: failed": Case(
        argv=("apply", "--all", *BATCH, YES, *MANY_FAIL), code=1, rows=all_("failed"), run="finished", faults=REFUSED
    ),
    "apply: denied": Case(argv=("apply", "--all", *BATCH, YES), rows=all_("updated"), run="finished", **DENIED),
    "apply: nothing selected": Case(argv=("apply", *NOTHING, *BATCH, YES), run="finished"),
    "apply: bad where": Case(argv=("apply", *BAD_WHERE, *BATCH, YES), **WHERE),
    "apply: interrupted": Case(
        argv=("apply", "--all", *BATCH, YES, *LONG_SOAK),
        code=130,
        counts=one_updated(all_("updated")),
        run="interrupted",
        interrupts=True,
    ),
    # apply --plan
    "apply --plan: all well": Case(
        argv=("apply", "--plan", "plan.jsonl", YES), stage="planned", rows=all_("updated"), run="finished"
    ),
    "apply --plan: some blocked": Case(argv=("apply", "--plan", "plan.jsonl", YES), stage="planned some", code=2),
    "apply --plan: the rest": Case(
        argv=("apply", "--plan", "plan.jsonl", YES, "--skip-blocked"),
        stage="planned some",
        rows=streams("updated", others="blocked"),
        run="finished",
    ),
    "apply --plan: failed": Case(
        argv=("apply", "--plan", "plan.jsonl", YES, *MANY_FAIL),
        stage="planned",
        code=1,
        rows=all_("failed"),
        run="finished",
        faults=REFUSED,
    ),
    "apply --plan: denied": Case(
        argv=("apply", "--plan", "plan.jsonl", YES), stage="planned", rows=all_("updated"), run="finished", **DENIED
    ),
    "apply --plan: nothing selected": Case(argv=("apply", "--plan", "empty.jsonl", YES), code=2),
    "apply --plan: interrupted": Case(
        argv=("apply", "--plan", "plan.jsonl", YES, *LONG_SOAK),
        stage="planned",
        code=130,
        counts=one_updated(all_("updated")),
        run="interrupted",
        interrupts=True,
    ),
    # pause
    "pause: all well": Case(argv=("pause", "--all", YES), rows=enabled("updated", others="unchanged"), run="finished"),
    "pause: some blocked": Case(argv=("pause", "--uuid", NO_SUCH_UUID, YES), code=2),
    "pause: failed": Case(
        argv=("pause", "--all", YES, *MANY_FAIL),
        code=1,
        rows=enabled("failed", others="unchanged"),
        run="finished",
        faults=REFUSED,
    ),
    "pause: denied": Case(
        argv=("pause", "--all", YES), rows=enabled("updated", others="unchanged"), run="finished", **DENIED
    ),
    "pause: broken": Case(
        argv=("pause", "--all", YES), rows=enabled("updated", others="unchanged"), run="finished", **BROKEN
    ),
    "pause: nothing selected": Case(argv=("pause", *NOTHING, YES), run="finished"),
    "pause: bad where": Case(argv=("pause", *BAD_WHERE, YES), **WHERE),
    "pause: interrupted": Case(
        argv=("pause", "--all", YES, *LONG_SOAK),
        code=130,
        counts=one_updated(enabled("updated", others="unchanged")),
        run="interrupted",
        interrupts=True,
    ),
    # resume
    "resume: all well": Case(
        argv=("resume", "--all", YES), rows=disabled("updated", others="unchanged"), run="finished"
    ),
    "resume: some blocked": Case(argv=("resume", "--uuid", NO_SUCH_UUID, YES), code=2),
    "resume: failed": Case(
        argv=("resume", "--all", YES, *MANY_FAIL),
        code=1,
        rows=disabled("failed", others="unchanged"),
        run="finished",
        faults=REFUSED,
    ),
    "resume: denied": Case(
        argv=("resume", "--all", YES), rows=disabled("updated", others="unchanged"), run="finished", **DENIED
    ),
    "resume: nothing selected": Case(argv=("resume", *NOTHING, YES), run="finished"),
    "resume: bad where": Case(argv=("resume", *BAD_WHERE, YES), **WHERE),
    "resume: interrupted": Case(
        argv=("resume", "--all", YES, *LONG_SOAK),
        stage="paused",
        code=130,
        counts=one_updated(all_("updated")),
        run="interrupted",
        interrupts=True,
    ),
    # resume --run
    "resume --run: all well": Case(
        argv=("resume", "--run", "last", YES), stage="paused", rows=changed("updated"), run="finished"
    ),
    "resume --run: one is gone": Case(
        argv=("resume", "--run", "last", YES),
        stage="paused",
        code=1,
        rows=all_but_the_first("updated", "conflict"),
        run="finished",
        meanwhile=delete_a_paused_one,
    ),
    "resume --run: failed": Case(
        argv=("resume", "--run", "last", YES, *MANY_FAIL),
        stage="paused",
        code=1,
        rows=changed("failed"),
        run="finished",
        faults=REFUSED,
    ),
    "resume --run: denied": Case(
        argv=("resume", "--run", "last", YES), stage="paused", rows=changed("updated"), run="finished", **DENIED
    ),
    "resume --run: nothing selected": Case(argv=("resume", "--run", "last", YES), stage="paused nothing", code=2),
    "resume --run: no pause": Case(
        argv=("resume", "--run", "last", YES),
        stage="applied",
        code=2,
    ),
    "resume --run: interrupted": Case(
        argv=("resume", "--run", "last", YES, *LONG_SOAK),
        stage="paused",
        code=130,
        counts=one_updated(changed("updated")),
        run="interrupted",
        interrupts=True,
    ),
    # rollback
    "rollback: all well": Case(argv=("rollback", "last", YES), stage="paused", rows=changed("updated"), run="finished"),
    "rollback: some blocked": Case(
        argv=("rollback", "last", YES, "--timeout", "1s"), stage="paused", code=2, meanwhile=begin_to_change_all
    ),
    "rollback: failed": Case(
        argv=("rollback", "last", YES, *MANY_FAIL),
        stage="paused",
        code=1,
        rows=changed("failed"),
        run="finished",
        faults=REFUSED,
    ),
    "rollback: denied": Case(
        argv=("rollback", "last", YES), stage="paused", rows=changed("updated"), run="finished", **DENIED
    ),
    "rollback: nothing selected": Case(argv=("rollback", "last", YES), stage="paused nothing"),
    "rollback: interrupted": Case(
        argv=("rollback", "last", YES, *LONG_SOAK),
        stage="paused",
        code=130,
        counts=one_updated(changed("updated")),
        run="interrupted",
        interrupts=True,
    ),
    # continue: the run that goes on is the last one
    "continue: all well": Case(
        argv=("continue", "last", YES), stage="interrupted", rows=left("updated"), run="finished"
    ),
    "continue: failed": Case(
        argv=("continue", "last", YES),
        stage="interrupted",
        code=1,
        rows=left("failed"),
        run="finished",
        faults=REFUSED,
    ),
    "continue: denied": Case(
        argv=("continue", "last", YES),
        stage="interrupted",
        rows=left("updated"),
        run="finished",
        **DENIED,
        out_of_reach="not_started",
    ),
    "continue: dry run denied": Case(argv=("continue", "last", "--dry-run"), stage="interrupted", **DENIED),
    "continue: nothing left": Case(argv=("continue", "last", YES), stage="paused"),
    "continue: interrupted": Case(
        argv=("continue", "last", YES),
        stage="interrupted early",
        code=130,
        counts=one_updated(left("updated")),
        run="interrupted",
        interrupts=True,
    ),
    # verify
    "verify: all well": Case(argv=("verify", "last"), stage="paused"),
    "verify: drift": Case(
        argv=("verify", "last"),
        stage="paused",
        code=1,
        rows=lambda there: {updated_by(there.runs[-1])[0]: "Enabled"},
        meanwhile=drift,
    ),
    "verify: failed": Case(argv=("verify", "last"), stage="failed"),
    "verify: denied": Case(argv=("verify", "last"), stage="paused", **DENIED),
    "verify: nothing selected": Case(argv=("verify", "last"), stage="paused nothing"),
    # show
    "show: all well": Case(argv=("show", "last"), stage="paused", rows=of_results, fields=RESULT),
    "show: some blocked": Case(argv=("show", "last"), stage="applied some", rows=of_results, fields=RESULT),
    "show: failed": Case(argv=("show", "last"), stage="failed", rows=of_results, fields=RESULT),
    "show: nothing selected": Case(argv=("show", "last"), code=2),
    "show: interrupted": Case(argv=("show", "last"), stage="interrupted", rows=of_results, fields=RESULT),
}


def told(command: str, line: dict[str, Any]) -> str:
    """What a line of stdout tells of its mapping."""
    if command == "verify":
        return ",".join(one["parameter"] for one in line["differences"])
    found: str = line.get("outcome") or line.get("action") or line["state"]
    return found


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Read botocore's models once, and not for each command: most of a command's time."""
    load, read = JSONFileLoader.load_file, cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield
    assert JSONFileLoader.load_file is load


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    return Stages(tmp_path_factory.mktemp("stages"))


@dataclass(frozen=True)
class Open:
    """Opens a scene after a stage."""

    stages: Stages
    home: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, place: Place, stage: str, **more: Any) -> AbstractContextManager[Scene]:
        made = self.stages.made(stage, place, self.monkeypatch, self.capsys).copy(self.home)
        return scene(place, made, Inside(self.home, self.monkeypatch, self.capsys), **more)


@pytest.fixture
def opened(stages: Stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Open:
    return Open(stages, tmp_path, monkeypatch, capsys)


def takes_a_run(argv: tuple[str, ...]) -> bool:
    return "last" in argv or argv[0] in {"show", "runs"}


def cells() -> list[Any]:
    return [
        pytest.param(
            case,
            place,
            id=f"{name} [{place.name}]",
        )
        for name, case in TABLE.items()
        for place in PLACES
    ]


@pytest.mark.parametrize(("case", "place"), cells())
def test_table(case: Case, place: Place, opened: Open, tmp_path: Path) -> None:
    command = case.argv[0]
    with opened(place, case.stage, faults=case.faults_in(place)) as there:
        (tmp_path / "empty.jsonl").touch()
        runs = there.runs
        before = bytes_of(runs)
        case.meanwhile(there)
        expected = expected_rows(case, there)
        counts = case.counts(there) if case.counts else Counter(expected.values())
        sent_before = sum(requests_of(run).get("update", 0) for run in runs[-1:]) if command == "continue" else 0
        flags = () if takes_a_run(case.argv) else place.flags
        done = (there.interrupted if case.interrupts else there)(*case.argv, *flags)
        updates = there.accepted()

        assert done.code == case.code_in(place), done.stderr
        rows = {line["uuid"]: told(command, line) for line in done.records}
        assert len(rows) == len(done.records)
        assert (rows.keys(), Counter(rows.values())) == (expected.keys(), counts)
        assert case.counts or rows == expected
        fields = case.fields or (RESULT if case.run else set())
        assert all(line.keys() >= fields for line in done.records)

        is_new = case.run is not None and not is_hopeless(case, place) and command != "continue"
        assert len(there.runs) == len(runs) + is_new
        if case.run is None or is_hopeless(case, place):
            assert bytes_of(there.runs) == before
            assert updates == 0
            return
        check_run(there, case, there.runs[-1], done.records)
        requests = requests_of(there.runs[-1])
        failed = Counter(rows.values())["failed"]
        assert requests.get("update", 0) == sent_before + updates + failed  # a fleet's record leaves zeros out today
        assert requests["list"] >= len(place.shards)
        if case.trouble is None:
            assert requests.get("errors", 0) == failed
        assert requests.get("throttled", 0) == 0


def bytes_of(runs: list[Path]) -> list[bytes]:
    return [path.read_bytes() for run in runs for path in sorted(run.rglob("*.json*"))]


def is_hopeless(case: Case, place: Place) -> bool:
    """Whether there is no shard in which something could be done."""
    return case.trouble is not None and place is not THREE


def expected_rows(case: Case, there: Scene) -> Rows:
    if case.counts is not None:
        return expected_uuids(case, there)
    if is_hopeless(case, there.place):
        return {}
    rows = case.rows(there)
    if case.trouble is None:
        return rows
    out_of_reach = {uuid for uuid in rows if there.shard_of(uuid).startswith(there.place.troubled)}
    if case.out_of_reach is None:
        return {uuid: what for uuid, what in rows.items() if uuid not in out_of_reach}
    return {**rows, **dict.fromkeys(out_of_reach, case.out_of_reach)}


def expected_uuids(case: Case, there: Scene) -> Rows:
    """Of an interrupted command: each mapping of its plan, or of what was left, has its row all the same."""
    if case.argv[0] == "continue":
        return left("")(there)
    if "--run" in case.argv or case.argv[0] == "rollback":
        return changed("")(there)
    return everything(there, "")


def check_run(there: Scene, case: Case, run: Path, rows: list[dict[str, Any]]) -> None:
    """Check the folder of a run: its files, its record, and one result for each line of the plan."""
    record = RunFiles(run).record
    assert record.keys() >= RUN
    assert record["status"] == case.run
    assert record["command"] == (case.argv[0] if case.argv[0] != "continue" else "pause")
    results, plan = results_of(run), plan_of(run)
    assert Counter(record["counts"]) == Counter(line["outcome"] for line in results)
    if case.trouble is None or case.argv[0] != "continue":
        assert sorted(line["uuid"] for line in results) == sorted(line["uuid"] for line in plan)
    if case.argv[0] != "continue":
        assert sorted(line["uuid"] for line in rows) == sorted(line["uuid"] for line in results)
    for line in results:
        assert line["run_id"] == run.name
        assert f"{line['account_id']}-{line['region']}" == there.shard_of(line["uuid"])
    files = whole_tree(there.place)
    optional = set() if case.trouble is None else {name for name in files if there.place.troubled in name}
    # What was to be planned in a shard that could not be reached is kept for `continue`.
    late = {f"shards/{name}/task.json" for name in there.place.shards if case.trouble and there.place.troubled in name}
    if there.place.is_fleet:
        files, optional = files | late, optional | late
    # A shard of a fleet in which there is nothing to do has no file of results today, a lone one an empty file.
    optional |= set() if plan else {name for name in files if name.endswith("results.jsonl")}
    if case.argv[0] == "continue":
        optional |= {name.replace("results.", "results.old.") for name in files if name.endswith("results.jsonl")}
        files |= optional
    assert files - optional <= tree(run) <= files
    if not there.place.is_fleet:
        assert (record["account_id"], record["region"]) == ("123456789012", "us-east-1") or not plan


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
@pytest.mark.parametrize(
    ("stage", "shown"),
    [
        ("new", []),
        ("paused", [("pause", "finished")]),
        ("applied some", [("apply", "finished")]),
        ("failed", [("pause", "finished")]),
        ("paused nothing", [("pause", "finished")]),
        ("interrupted", [("pause", "interrupted")]),
    ],
)
def test_runs(stage: str, shown: list[tuple[str, str]], place: Place, opened: Open) -> None:
    with opened(place, stage) as there:
        done = there("runs")
        assert (done.code, there.simulated.requests()) == (0, 0)
        assert [(line["command"], line["status"]) for line in done.records] == shown
        for line, run in zip(done.records, there.runs, strict=True):
            assert line.keys() >= RUN
            assert (line["run_id"], line["region"]) == (run.name, "us-east-1")
            assert Counter(line["counts"]) == Counter(result["outcome"] for result in results_of(run))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_blocked_ones_are_skipped(place: Place, opened: Open) -> None:
    """A UUID that is nowhere is of no shard: only without fleet flags it has a result of its own today."""
    with opened(place, "new") as there:
        uuid = next(iter(enabled("updated")(there)))
        flags = ("--uuid", NO_SUCH_UUID, "--uuid", uuid, YES, "--skip-blocked")
        done = there("pause", *flags, *place.flags)
        rows = {line["uuid"]: line["outcome"] for line in done.records}
        assert (done.code, rows.pop(NO_SUCH_UUID, "blocked"), rows) == (0, "blocked", {uuid: "updated"})


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_rollback_warns_of_what_stays(place: Place, opened: Open) -> None:
    with opened(place, "applied for good") as there:
        for flags in (("--dry-run",), (YES,)):
            done = there("rollback", "last", *flags)
            assert done.code == 0
            assert "warning: " in done.stderr
            assert "MaximumBatchingWindowInSeconds cannot be put back" in done.stderr.partition("warning: ")[2]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_resume_notes_other_runs_that_paused(place: Place, opened: Open) -> None:
    with opened(place, "paused twice") as there:
        first, second = there.runs
        done = there("resume", "--run", second.name, "--dry-run")
        assert done.code == 0
        assert f"note: {first.name} paused more" in done.stderr
        both = there("resume", "--run", first.name, "--run", second.name, "--dry-run")
        assert (both.code, "paused more" in both.stderr) == (0, False)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_continue_looks_before_it_asks(place: Place, opened: Open) -> None:
    with opened(place, "interrupted") as there:
        to_send = len(left("")(there))
        done = there("continue", "last", "--dry-run")
        assert (done.code, there.accepted()) == (0, 0)
        assert there.simulated.requests() >= len(place.shards)
        assert f"{to_send} are to be sent" in done.stderr


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_plan_says_how_it_is_applied(place: Place, opened: Open) -> None:
    with opened(place, "new") as there:
        done = there("plan", "--all", *BATCH, "--save", "plan.jsonl", *place.flags)
        assert done.code == 0
        assert "bulk-esm apply --plan plan.jsonl" in done.stderr


@pytest.mark.parametrize(
    "place",
    [
        HOME,
        ONE,
        THREE,
    ],
    ids=lambda place: place.name,
)
def test_credentials_that_expire_between_two_waves(place: Place, opened: Open, tmp_path: Path) -> None:
    def clock() -> float:
        return (time.monotonic() - started) * SPEED + (1e9 if (tmp_path / "expired").exists() else 0.0)

    started = time.monotonic()
    with opened(place, "new", faults=Faults(expires_after_s=1e8), clock=clock) as there:
        flags = ("--waves", "1,100%", "--gate", "test $BULK_ESM_GATE_WAVE = 0 || touch expired")
        done = there("apply", "--all", *BATCH, YES, *flags, *place.flags)
        assert done.code == 5
        assert "ExpiredToken" in done.stderr
        [run] = there.runs
        outcomes = Counter(line["outcome"] for line in results_of(run))
        assert outcomes["updated"] == 1
        assert outcomes.keys() <= {"updated", "not_started", "timed_out"}
        assert outcomes.total() == len(there.before)
        if place is not THREE:  # whose shards end one by one
            assert RunFiles(run).record["status"] == "halted"
            assert "ExpiredToken" in RunFiles(run).record["reason"]
