"""What a person reads of a fleet before and after a run."""

from pathlib import Path
from typing import Any

import msgspec

from bulk_esm import Action, Outcome, Plan, PlanItem, Problem, Result, RunFiles, RunRecord, RunStatus, Shard, SourceType
from bulk_esm.cli.run_text import run_summary
from bulk_esm.cli.shards_text import groups_lines, shard_problem_lines
from bulk_esm.model.records import FleetRecord, ShardEntry
from bulk_esm.model.result import ErrorRecord

REGIONS = ("ap-southeast-1", "eu-west-1", "us-east-1")


def shard_of(number: int) -> Shard:
    return Shard(account_id=f"{111111111111 + number // len(REGIONS)}", region=REGIONS[number % len(REGIONS)])


DENIED = "arn:aws:iam::{account_id}:role/Ops was refused in {region} (request ...)"


def denied(number: int) -> Problem:
    shard = shard_of(number)
    role = f"arn:aws:iam::{shard.account_id}:role/Ops"
    return Problem(reason=f"{role} was refused in {shard.region} (request {number:08x}-0000-4000-8000-000000000000)")


def test_shards_that_cannot_be_reached_are_grouped_by_reason() -> None:
    entries = [ShardEntry(shard=shard_of(n), items=1, updates=1) for n in range(50)]
    entries += [ShardEntry(shard=shard_of(n), problem=denied(n)) for n in range(51, 58)]
    entries += [ShardEntry(shard=shard_of(58), problem=Problem(reason="500 in eu-west-1"))]
    assert list(shard_problem_lines(entries[:50])) == []
    assert list(shard_problem_lines(entries)) == [
        "8 of 58 shards could not be reached:",
        f"  111111111128 ({', '.join(REGIONS)}), 111111111129 (ap-southeast-1, eu-west-1) and 2 more: {DENIED}",
        "  111111111130 (eu-west-1): 500 in eu-west-1",
    ]
    many = [ShardEntry(shard=shard_of(n), problem=Problem(reason=f"reason {n}")) for n in range(20)]
    assert list(shard_problem_lines(many))[-1] == "  and 12 more shards, for 12 more reasons"


def test_the_summary_of_a_fleets_plan() -> None:
    entries = [ShardEntry(shard=shard_of(n), items=9, updates=[1_000, 40, 0][n % 3]) for n in range(6)]
    shards = [entry.shard for entry in entries]
    assert list(groups_lines(entries, [shards])) == [
        "6 shards: 2 accounts x 3 Regions",
        "  updates in a shard: 40 (111111111111 eu-west-1) to 1,000 (111111111112 ap-southeast-1)",
        "  nothing to do in 2: 111111111111 (us-east-1), 111111111112 (us-east-1)",
    ]
    assert list(groups_lines(entries[:5], [shards[:1], shards[1:5]]))[::3] == [
        "5 shards in 2 accounts and 3 Regions",
        "  one after another, in 2 groups of shards: 1 + 4",
    ]
    assert list(groups_lines(entries[2:3], [shards[2:3]])) == ["1 shard: 1 account x 1 Region"]


def record_of(**values: Any) -> RunRecord:
    return RunRecord(
        **{
            "run_id": "pause-1",
            "command": "pause",
            "argv": (),
            "version": "1",
            "account_id": None,
            "region": "eu-west-1",
            "started_at": "2025-01-01T00:00:00.000Z",
            "ended_at": "2025-01-01T00:01:02.000Z",
            **values,
        }
    )


def result_of(number: int, outcome: Outcome, message: str = "") -> Result:
    shard = shard_of(number)
    return Result(
        run_id="pause-1",
        uuid=f"{number:08x}-0000-4000-8000-000000000000",
        function_arn=f"arn:aws:lambda:{shard.region}:{shard.account_id}:function:orders",
        event_source_arn=None,
        source_type=SourceType.SQS,
        account_id=shard.account_id,
        region=shard.region,
        wave=1,
        outcome=outcome,
        state=None,
        request={},
        error=ErrorRecord(code="Failed", message=message) if message else None,
    )


def fleet_folder(
    runs_dir: Path,
    record: RunRecord,
    problems: dict[int, Problem],
    results: dict[int, list[Result]],
    lost: dict[int, str] | None = None,
) -> RunFiles:
    """A run's folder with so many shards as are named."""
    folder = RunFiles.begin(runs_dir, record.run_id)
    numbers = sorted({*problems, *results})
    for number in numbers:
        name = shard_of(number).name
        found = results.get(number, [])
        items = [
            PlanItem(
                uuid=result.uuid,
                function_arn=result.function_arn,
                event_source_arn=None,
                source_type=SourceType.SQS,
                state="Enabled",
                action=Action.UPDATE,
            )
            for result in found
        ]
        reason = (lost or {}).get(number) or (problems[number].reason if number in problems else None)
        status = RunStatus.UNREACHABLE if reason else record.status
        folder.add(name, record_of(status=status, reason=reason), Plan(tuple(items)))
        with folder.shard(shard_of(number)).open_results() as writer:
            for result in found:
                writer.append(result)
    shards = tuple(ShardEntry(shard=shard_of(n), items=1, updates=1, problem=problems.get(n)) for n in numbers)
    folder.publish(record, FleetRecord(shards=shards, groups=(tuple(entry.shard.name for entry in shards),)))
    return folder


def test_a_reason_of_several_shards_has_no_placeholder_but_in_an_arn() -> None:
    def denied_there(number: int) -> Problem:
        what = f"these credentials are of account 123456789012, not of {shard_of(number).account_id}"
        return Problem(reason=f"{what}, in {shard_of(number).region}", is_access=True)

    entries = [ShardEntry(shard=shard_of(number), problem=denied_there(number)) for number in range(6)]
    text = "\n".join(shard_problem_lines(entries))
    assert "not of each shard's own, in its Region" in text
    assert "{" not in text


def test_the_summary_of_a_run_over_many_shards(tmp_path: Path) -> None:
    record = record_of(
        status=RunStatus.FINISHED,
        counts={"updated": 27_500, "failed": 3, "not_started": 1},
        requests={"list": 3, "get": 4, "update": 27_504, "throttled": 6, "errors": 7},
        shards={"finished": 2, "unreachable": 4},
    )
    alone = "  nothing was planned in 3 shards; when they can be reached: the same command for them alone"
    small = "too small in {region} of {account_id}"

    def failed(number: int) -> Result:
        shard = shard_of(number)
        return result_of(number, Outcome.FAILED, small.format(account_id=shard.account_id, region=shard.region))

    folder = fleet_folder(
        tmp_path,
        record,
        {0: denied(0), 1: denied(1), 2: denied(2)},
        {3: [failed(3), result_of(30, Outcome.UPDATED)], 4: [failed(4), failed(34)], 5: []},
        lost={5: "every answer was 500"},
    )
    assert list(run_summary(record, folder)) == [
        "pause finished in 1:02: 27,500 updated, 3 failed, 1 not_started",
        "  2 of 6 shards finished, 4 unreachable",
        f"    111111111111 (ap-southeast-1, eu-west-1, us-east-1): {DENIED}",
        "    111111111112 (us-east-1): every answer was 500",
        "  not well in 2 shards: 111111111112 eu-west-1 (2), 111111111112 ap-southeast-1 (1)",
        "  3 failed: Failed: too small in {region} of {account_id}",
        "    such as 00000003-0000-4000-8000-000000000000 (orders in 111111111112 ap-southeast-1)",
        "  requests: 3 list, 4 get, 27,504 update; 6 throttled, 7 errors",
        f"  folder: {folder.path}",
        f"  to finish it: bulk-esm continue {folder.path}",
        f"  to put back what it changed: bulk-esm rollback {folder.path}",
        f"{alone}, with --accounts 111111111111 --regions ap-southeast-1,eu-west-1,us-east-1",
        f"  to resume: bulk-esm resume --run {folder.path.name} --runs-dir {tmp_path}",
    ]


def test_shards_that_make_no_rectangle_are_named(tmp_path: Path) -> None:
    record = record_of(status=RunStatus.FINISHED, shards={"finished": 1, "unreachable": 2})
    folder = fleet_folder(tmp_path, record, {0: denied(0), 4: denied(4)}, {1: []})
    last = list(run_summary(record, folder))[-1]
    first, second = (entry.shard.name for entry in folder.fleet().shards if entry.problem is not None)
    assert last.endswith(f"when they can be reached: the same command with --shard {first} --shard {second}")


def test_shards_of_a_file_are_named(tmp_path: Path) -> None:
    """Accounts and Regions could not be named beside the file, and the role is in it."""
    record = msgspec.structs.replace(
        record_of(status=RunStatus.FINISHED, shards={"finished": 1, "unreachable": 1}),
        argv=("pause", "--fleet", "f.toml"),
    )
    folder = fleet_folder(tmp_path, record, {0: denied(0)}, {1: []})
    last = list(run_summary(record, folder))[-1]
    (name,) = (entry.shard.name for entry in folder.fleet().shards if entry.problem is not None)
    assert last == f"  nothing was planned in 1 shard; when they can be reached: the same command with --shard {name}"
    back = record_of(status=RunStatus.FINISHED, command="rollback", undoes="pause-0", shards=record.shards)
    assert list(run_summary(back, folder))[-1].endswith(": bulk-esm rollback pause-0")


def test_the_summary_of_a_run_that_was_killed(tmp_path: Path) -> None:
    record = record_of(status=RunStatus.RUNNING, ended_at=None)
    many = {n: [result_of(n, Outcome.FAILED, f"reason {n}")] for n in range(20)}
    folder = fleet_folder(tmp_path, record, {}, many)
    lines = list(run_summary(record, folder))
    assert lines[0].startswith("pause did not end")
    assert lines[1] == "  20 shards"
    assert lines[2].endswith(
        "111111111112 us-east-1 (1), 111111111113 ap-southeast-1 (1), 111111111113 eu-west-1 (1) and 12 more"
    )
    assert "  and 12 more causes; see results.jsonl" in lines
    assert f"  to finish it: bulk-esm continue {folder.path}" in lines
    assert len(lines) == 3 + 2 * 8 + 1 + 3 + 1


def test_the_summary_of_a_run_that_went_well_reads_no_results(tmp_path: Path) -> None:
    record = record_of(status=RunStatus.FINISHED, counts={"updated": 2}, shards={"finished": 2})
    folder = fleet_folder(tmp_path, record, {}, {n: [result_of(n, Outcome.UPDATED)] for n in range(2)})
    (folder.path / "shards" / shard_of(0).name / "results.jsonl").write_text("no JSON\n", encoding="utf-8")
    assert list(run_summary(record, folder)) == [
        "pause finished in 1:02: 2 updated",
        "  2 of 2 shards finished",
        f"  folder: {folder.path}",
        f"  to resume: bulk-esm resume --run {folder.path.name} --runs-dir {tmp_path}",
    ]
