"""What is said of a plan and of a run: rows, summaries and exit codes."""

from pathlib import Path
from typing import Any

import pytest
from cli_harness import ACCOUNT

from bulk_esm import (
    Action,
    Outcome,
    Plan,
    PlanItem,
    PlanSummary,
    Problem,
    Result,
    RunFiles,
    RunRecord,
    RunStatus,
    SourceType,
)
from bulk_esm.cli.exit_codes import exit_code
from bulk_esm.cli.run_text import run_summary
from bulk_esm.cli.summary import Pace, plan_row, plan_summary, result_row
from bulk_esm.model.differences import Difference
from bulk_esm.model.result import ErrorRecord
from bulk_esm.store.shard_files import ShardFiles

UUIDS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(20)]
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders:live"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders-queue"


def item(number: int, action: Action, **more: Any) -> PlanItem:
    return PlanItem(
        uuid=UUIDS[number],
        function_arn=FUNCTION,
        event_source_arn=QUEUE,
        source_type=SourceType.SQS,
        state="Enabled",
        action=action,
        **more,
    )


def result(number: int, outcome: Outcome, error: ErrorRecord | None = None) -> Result:
    return Result(
        run_id="run",
        uuid=UUIDS[number],
        function_arn=FUNCTION,
        event_source_arn=QUEUE,
        source_type=SourceType.SQS,
        account_id=ACCOUNT,
        region="us-east-1",
        wave=1,
        outcome=outcome,
        state=None,
        request={},
        error=error,
    )


def test_rows() -> None:
    difference = Difference("MaximumBatchingWindowInSeconds", None, 5, irreversible=True)
    row = plan_row(item(0, Action.UPDATE, diff=(difference, Difference("BatchSize", 5, 7))))
    assert row[:6] == (UUIDS[0], "orders:live", "orders-queue", "sqs", "Enabled", "update")
    assert row[6] == "MaximumBatchingWindowInSeconds: unset -> 5 (irreversible); BatchSize: 5 -> 7"
    assert plan_row(item(0, Action.BLOCKED, diff=(difference,), problems=("a", "b")))[6] == "a; b"
    long = plan_row(item(0, Action.UPDATE, diff=(Difference("KMSKeyArn", None, "k" * 100),)))[6]
    assert long.endswith("...")
    failed = result(0, Outcome.FAILED, ErrorRecord(code="InvalidParameterValueException", message="too small"))
    assert result_row(failed)[4:] == ("failed", "-", "InvalidParameterValueException: too small")
    assert result_row(result(0, Outcome.UPDATED))[6] == ""


def test_the_summary_of_a_plan() -> None:
    updates = [
        item(n, Action.UPDATE, request={"BatchSize": 7}, diff=(Difference("BatchSize", 5, 7),)) for n in range(6)
    ]
    blocked = [item(n, Action.BLOCKED, problems=(f"reason {n}",)) for n in range(6, 16)]
    summary = PlanSummary()
    summary.add((*updates, *blocked, item(16, Action.UNCHANGED)))
    lines = list(plan_summary(summary, pace=Pace(least_s=60, rate="0.1 requests/s")))
    assert lines[0] == "17 mappings selected: 6 to update, 1 already as asked, 10 blocked"
    assert "  6 x BatchSize: 5 -> 7" in lines
    assert "6 updates and about 1 looks take at least 1:06 at 0.1 requests/s" in lines
    assert lines[-10] == "blocked:"
    assert lines[-1] == "  and 2 more"
    assert list(plan_summary(PlanSummary(), pace=Pace(least_s=0, rate="12 requests/s"))) == [
        "0 mappings selected: 0 to update, 0 already as asked, 0 blocked"
    ]


def record_of(**values: Any) -> RunRecord:
    return RunRecord(
        run_id="run",
        command="pause",
        argv=(),
        version="1",
        account_id=ACCOUNT,
        region="us-east-1",
        started_at="2025-01-01T00:00:00.000Z",
        **values,
    )


def files_of(runs_dir: Path, record: RunRecord, results: list[Result]) -> RunFiles:
    """The files of a run of the home shard."""
    files = RunFiles.begin(runs_dir, record.run_id)
    files.add_home(Plan(tuple(item(number, Action.UPDATE) for number in range(len(results)))))
    with ShardFiles(files.path).open_results() as writer:
        for one in results:
            writer.append(one)
    files.publish(record, None)
    return files


def test_the_summary_of_a_run_groups_failures_by_cause(tmp_path: Path) -> None:
    small = ErrorRecord(code="InvalidParameterValueException", message="too small")
    late = ErrorRecord(code="TimedOut", message="still Disabling")
    results = [
        result(0, Outcome.UPDATED),
        result(1, Outcome.TIMED_OUT, late),
        result(2, Outcome.FAILED, small),
        result(3, Outcome.FAILED, small),
        result(4, Outcome.BLOCKED, ErrorRecord(code="Blocked", message="cannot")),
    ]
    record = record_of(
        status=RunStatus.FINISHED,
        ended_at="2025-01-01T00:02:14.000Z",
        counts={"timed_out": 1, "updated": 1234, "failed": 2, "blocked": 1},
        requests={"list": 3, "get": 4, "update": 5, "throttled": 6, "errors": 7},
    )
    assert list(run_summary(record, files_of(tmp_path, record, results))) == [
        "pause finished in 2:14: 1,234 updated, 1 blocked, 2 failed, 1 timed_out",
        "  2 failed: InvalidParameterValueException: too small",
        f"    such as {UUIDS[2]} (orders:live)",
        "  1 timed_out: TimedOut: still Disabling",
        f"    such as {UUIDS[1]} (orders:live)",
        "  1 blocked: Blocked: cannot",
        f"    such as {UUIDS[4]} (orders:live)",
        "  requests: 3 list, 4 get, 5 update; 6 throttled, 7 errors",
        f"  folder: {tmp_path / 'run'}",
        f"  to resume: bulk-esm resume --run run --runs-dir {tmp_path}",
    ]


def test_the_summary_of_a_run_keeps_to_a_page(tmp_path: Path) -> None:
    results = [result(n, Outcome.FAILED, ErrorRecord(code=f"Code{n}", message="x")) for n in range(20)]
    record = record_of(reason="the token expired")
    lines = list(run_summary(record, files_of(tmp_path, record, results)))
    assert lines[0].startswith("pause did not end: it was killed; so far")
    assert lines[1] == "  because: the token expired"
    assert lines[-5:] == [
        "  and 12 more causes; see results.jsonl",
        f"  folder: {tmp_path / 'run'}",
        f"  to finish it: bulk-esm continue {tmp_path / 'run'}",
        f"  to put back what it changed: bulk-esm rollback {tmp_path / 'run'}",
        f"  to resume: bulk-esm resume --run run --runs-dir {tmp_path}",
    ]
    assert len(lines) == 2 + 2 * 8 + 5


@pytest.mark.parametrize(
    ("status", "counts", "code"),
    [
        (RunStatus.FINISHED, {}, 0),
        (RunStatus.FINISHED, {"updated": 1, "unchanged": 1, "blocked": 1}, 0),
        (RunStatus.FINISHED, {"updated": 1, "failed": 1}, 1),
        (RunStatus.FINISHED, {"timed_out": 1}, 1),
        (RunStatus.FINISHED, {"conflict": 1}, 1),
        (RunStatus.INTERRUPTED, {"failed": 1, "not_started": 1}, 130),
        (RunStatus.HALTED, {"failed": 1, "not_started": 1}, 3),
        (RunStatus.DEADLINE, {"failed": 1, "not_started": 1}, 4),
    ],
)
def test_exit_codes(status: RunStatus, counts: dict[str, int], code: int) -> None:
    assert exit_code(record_of(status=status, counts=counts)) == code


ACCESS = Problem(reason="denied", exit_code=5, is_access=True)
SERVICE = Problem(reason="every answer was 500", exit_code=2)
STRANGE = Problem(reason="no token file", exit_code=2, is_access=True)


@pytest.mark.parametrize(
    ("problems", "code"),
    [
        ([], 0),
        ([None, None], 0),
        ([None, ACCESS], 1),
        ([ACCESS], 5),
        ([ACCESS, ACCESS], 5),
        ([ACCESS, STRANGE], 5),
        ([SERVICE, SERVICE], 2),
        ([ACCESS, SERVICE], 1),
    ],
)
def test_exit_codes_of_shards_that_could_not_be_worked_in(problems: list[Problem | None], code: int) -> None:
    assert exit_code(None, problems) == code
    finished = record_of(status=RunStatus.FINISHED, counts={"updated": 1})
    assert exit_code(finished, problems) == code
    halted = record_of(status=RunStatus.HALTED)
    assert exit_code(halted, [None, *problems]) == 3
