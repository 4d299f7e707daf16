"""The public API as users' programs see it: mypy checks this file, and nothing runs it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import bulk_esm
from bulk_esm import (
    AccessError,
    Action,
    BulkEsm,
    BulkEsmError,
    Change,
    EventSourceMapping,
    Intent,
    Inventory,
    Outcome,
    Plan,
    PlanItem,
    RefusedError,
    Result,
    Run,
    RunFolderError,
    RunRecord,
    RunStatus,
    Selection,
    ServiceError,
    SourceType,
    State,
    UsageError,
    apply,
    connect,
)
from bulk_esm.engine.endings import Ending
from bulk_esm.simulator import (
    AcceptedUpdate,
    ApiError,
    Faults,
    Fleet,
    Kind,
    MappingReport,
    Report,
    RequestCount,
    Simulator,
    make_fleet,
)

assert_type(bulk_esm.__version__, str)
assert_type(bulk_esm.__all__, list[str])


def in_five_lines() -> RunRecord:
    record = apply(Selection(functions=("orders-*",)), Change({"Enabled": False}), region="eu-west-1")
    assert_type(record, RunRecord)
    return record


def with_everything_said() -> RunRecord:
    return apply(
        Selection(all=True),
        Change.parse(["BatchSize=5"]),
        region=None,
        profile="prod",
        endpoint_url="http://127.0.0.1:8000",
        max_per_second=10,
        runs_dir=Path("runs"),
        skip_blocked=True,
    )


def changes() -> Mapping[str, Change]:
    from_flags = Change.parse(["BatchSize=5"], ["FilterCriteria"], {"ScalingConfig": {"MaximumConcurrency": 9}})
    assert_type(from_flags, Change)
    assert_type(from_flags.values, dict[str, Any])
    assert_type(from_flags.unset, tuple[str, ...])
    return {"00000000-0000-4000-8000-000000000000": from_flags, "1": Change(values={}, unset=("FilterCriteria",))}


def selections(mapping: EventSourceMapping) -> bool:
    selection = Selection(
        all=False,
        functions=("orders-*",),
        exclude=("orders-test",),
        sources=("arn:aws:sqs:*",),
        source_types=(SourceType.SQS, SourceType.SQS_FIFO),
        states=(State.ENABLED,),
        tags=("team=orders",),
        function_tags=("env",),
        where=("BatchSize > `100`",),
        uuids=frozenset({"00000000-0000-4000-8000-000000000000"}),
    )
    selection.check()
    assert_type(selection.is_empty, bool)
    return selection.matches(mapping)


async def asynchronously(selection: Selection, change: Change) -> RunRecord:
    async with connect(
        region="eu-west-1",
        profile=None,
        endpoint_url=None,
        max_per_second=12.0,
        concurrency=50,
        timeout_s=900.0,
    ) as bulk:
        assert_type(bulk, BulkEsm)
        assert_type(bulk.region, str)
        inventory = await bulk.list(selection)
        assert_type(inventory, Inventory)
        assert_type(inventory.unknown, tuple[str, ...])
        for mapping in inventory.mappings:
            look_at(mapping)
        plan = await bulk.plan(selection, change, allow_irreversible=False)
        each_its_own = await bulk.plan(selection, changes())
        assert_type(each_its_own, Plan)
        renewed, known = await bulk.renew(plan)
        assert_type(known, dict[str, Ending])
        run = bulk.prepare(renewed, runs_dir="runs", intent=Intent(command="apply"), known=known)
        assert_type(run, Run)
        assert_type(run.record, RunRecord)
        assert_type(await run.carry_out(print_result), RunRecord)
        run.stop()
        return await bulk.apply(plan, runs_dir=Path("runs"), skip_blocked=True, on_result=print_result)


def look_at(mapping: EventSourceMapping) -> None:
    assert_type(mapping.uuid, str)
    assert_type(mapping.configuration, dict[str, Any])
    assert_type(mapping.function_arn, str | None)
    assert_type(mapping.event_source_arn, str | None)
    assert_type(mapping.source_type, SourceType)
    assert_type(mapping.state, str)  # one that this version does not know is no State
    assert_type(mapping.enabled, bool | None)
    assert_type(mapping.at_rest, bool)


def look_at_plan(plan: Plan) -> int:
    plan.check()
    for item in plan.items:
        assert_type(item, PlanItem)
        assert_type(item.action, Action)
        assert_type(item.request, dict[str, Any])
        assert_type(item.problems, tuple[str, ...])
        for difference in item.diff:
            assert_type(difference.parameter, str)
            assert_type(difference.irreversible, bool)
    return plan.count(Action.UPDATE) + plan.count(Action.UNCHANGED) + plan.count(Action.BLOCKED)


def print_result(result: Result) -> None:
    assert_type(result.outcome, Outcome)
    assert_type(result.source_type, SourceType)
    assert_type(result.accepted_at, str | None)
    assert_type(result.duration_s, float)
    if result.error is not None and result.outcome in {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CONFLICT}:
        assert_type(result.error.code, str)
        assert_type(result.error.request_id, str | None)


def look_at_record(record: RunRecord) -> bool:
    assert_type(record.status, RunStatus)
    assert_type(record.counts, dict[str, int])
    assert_type(record.requests, dict[str, int])
    assert_type(record.ended_at, str | None)
    return record.status is RunStatus.FINISHED


def errors() -> int:
    try:
        in_five_lines()
    except (UsageError, RefusedError, RunFolderError, AccessError) as error:
        assert_type(error.exit_code, int)
        return error.exit_code
    except ServiceError as error:
        assert_type(error.status, int)
        assert_type(error.request_id, str | None)
        return error.exit_code
    except BulkEsmError:
        return BulkEsmError.exit_code
    return 0


async def simulated() -> Report:
    fleet = make_fleet(100, seed=1, account_id="123456789012", region="us-east-1", disabled_share=0.1, functions=10)
    assert_type(fleet, Fleet)
    assert_type(fleet.function_timeouts | fleet.visibility_timeouts, dict[str, int])
    faults = Faults(error_share=0.05, list_lag_s=10, denied_accounts=frozenset({"210987654321"}))
    async with Simulator(
        fleet=fleet,
        speed=20,
        seed=1,
        whole_stamps=True,
        switches_scaling=True,
        faults=faults,
        fleets={("123456789012", "eu-west-1"): Fleet(mappings=[])},
    ) as simulator:
        assert_type(simulator, Simulator)
        assert_type(simulator.endpoint_url, str)
        assert_type(simulator.environment, dict[str, str])
        async with connect(endpoint_url=simulator.endpoint_url, region=simulator.region) as bulk:
            await bulk.list(Selection())
        for configuration in simulator.snapshot():
            assert_type(configuration, dict[str, Any])
        try:
            assert_type(simulator.get("1"), dict[str, Any])
            simulator.change_behind("1", State="Disabled", BatchSize=None)
            simulator.delete_behind("1")
            simulator.delete_function_behind("orders:live")
            simulator.restore_function_behind("orders:live")
        except ApiError as error:
            assert_type(error.status, int)
        simulator.add([{"UUID": "1"}])
        return simulator.report()


def look_at_report(report: Report) -> float:
    for entry in report.requests:
        assert_type(entry, RequestCount)
        assert_type(entry.kind, Kind)
    for mapping in report.mappings:
        assert_type(mapping, MappingReport)
        for accepted in mapping.accepted:
            assert_type(accepted, AcceptedUpdate)
            assert_type(accepted.settles_at, float | None)
    assert_type(report.count(Kind.UPDATE, 202), int)
    assert_type(report.count(status=429), int)
    return report.real_s(report.now)


if __name__ == "__main__":
    look_at_report(asyncio.run(simulated()))
