"""The public API as users' programs see it: mypy checks this file, and nothing runs it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import bulk_esm
from bulk_esm import (
    AccessError,
    Action,
    AlarmGate,
    AlarmState,
    BulkEsm,
    BulkEsmError,
    Change,
    CommandGate,
    ControlAnswer,
    ControlHeard,
    ControlRequest,
    ControlStatus,
    Difference,
    Drift,
    ErrorRecord,
    EventSourceMapping,
    Executor,
    FleetFile,
    FleetSettings,
    Gate,
    GateAnswered,
    Intent,
    Inventory,
    MappingEnded,
    Observer,
    Outcome,
    PausedShards,
    Plan,
    PlanContext,
    PlanItem,
    PlanSummary,
    Problem,
    RefusedError,
    Result,
    RolloutSettings,
    Run,
    RunBegan,
    RunEnded,
    RunEvent,
    RunFiles,
    RunFolderError,
    RunPlan,
    RunRecord,
    RunRest,
    RunStatus,
    Selection,
    ServiceError,
    Shard,
    ShardEnd,
    ShardEntry,
    ShardProgress,
    SourceType,
    State,
    UsageError,
    Verification,
    WaveBegan,
    WaveEnd,
    apply,
    connect,
    open_dask_executor,
    paused_by_runs,
    read_fleet_file,
)
from bulk_esm.simulator import (
    AcceptedUpdate,
    ApiError,
    Denial,
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
    Selection(source_types=("kinesis", SourceType.SQS))  # as docs/python.md has it
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
        runs_dir=Path("runs"),
    ) as bulk:
        assert_type(bulk, BulkEsm)
        assert_type(bulk.region, str)
        assert_type(bulk.shards, tuple[Shard, ...])
        assert_type(await bulk.account_id(), str | None)
        inventory = await bulk.list(selection)
        assert_type(inventory, Inventory)
        assert_type(inventory.unknown, tuple[str, ...])
        assert_type(inventory.problems, dict[str, Problem])
        for mapping in inventory.mappings:
            look_at(mapping)
        plan = await bulk.plan(selection, change, allow_irreversible=False)
        assert_type(plan, RunPlan)
        each_its_own = await bulk.plan(selection, changes())
        look_at_run_plan(each_its_own)
        plan = await bulk.renew(Plan(tuple(each_its_own.items())))
        intent = Intent(command="apply", rollout=RolloutSettings(waves=("1", "100%"), soak_s=60.0, most_failures=9))
        run = bulk.prepare(plan, intent=intent, deadline=datetime.now(UTC) + timedelta(hours=1))
        assert_type(run, Run)
        assert_type(run.record, RunRecord)
        gates: Sequence[Gate] = [
            AlarmGate(["lag"], bulk.alarms, print),
            CommandGate("./healthy.sh", run_id=run.record.run_id, folder=run.path),
            AGate(),
        ]
        assert_type(await run.carry_out([observe, Counting()], gates=gates, confirm=confirm), RunRecord)
        for progress in run.progress:
            look_at_progress(progress)
        run.stop()
        assert_type(await bulk.alarms(("lag",)), Sequence[AlarmState])
        return await bulk.apply(plan, skip_blocked=True, observers=[observe])


async def afterwards(bulk: BulkEsm, run: Run) -> None:
    for name in (run.files, run.path, "last", "20261123T031502Z-pause-5b272f"):
        found = await bulk.verify(name)
        assert_type(found, Verification)
        for drift in found.drifts:
            assert_type(drift, Drift)
        rest = await bulk.plan_rest(name, waiting=waiting)
        assert_type(rest, RunRest)
        assert_type(rest.left, int)
        assert_type(rest.to_send, int)
        assert_type(await rest.begin().carry_out(), RunRecord)
        assert_type(await bulk.plan_rollback(name, force=True), RunPlan)
    paused = paused_by_runs([run.files])
    assert_type(paused, PausedShards)
    assert_type(await bulk.plan_resuming(paused), RunPlan)
    assert_type(await bulk.plan_resuming(), RunPlan)
    assert_type(bulk.all_paused(), PausedShards)


def waiting(shard: str, count: int) -> None:
    """Mappings in transition are waited for."""


async def steer(files: RunFiles) -> None:
    answer = await bulk_esm.control(files, "stop", rollback=True)
    assert_type(answer, ControlAnswer)
    assert_type(answer.status, ControlStatus | None)
    await bulk_esm.control("last", "hold", runs_dir="s3://bucket/prefix")


def look_at_files(files: RunFiles) -> None:
    assert_type(files.record(), RunRecord)
    assert_type(files.items(), Iterator[PlanItem])
    assert_type(files.results(), Iterator[Result])


class AGate:
    """Whatever has `check` is a gate."""

    async def check(self, end: WaveEnd | None) -> str | None:
        if end is None:
            return None
        assert_type(end.wave, int)
        assert_type(end.outcomes, Mapping[Outcome, int])
        return "it is on fire" if end.outcomes.get(Outcome.FAILED) else None


async def confirm(end: WaveEnd) -> bool:
    return end.next_updates < 1000


class Counting:
    """An observer may be any callable that takes an event."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, event: RunEvent) -> None:
        self.count += isinstance(event, MappingEnded)


def observe(event: RunEvent) -> None:
    match event:
        case RunBegan(record) | RunEnded(record):
            assert_type(record, RunRecord)
        case WaveBegan():
            assert_type((event.wave, event.waves, event.updates), tuple[int, int, int])
        case GateAnswered():
            assert_type((event.gate, event.step, event.reason), tuple[str, str, str | None])
        case MappingEnded(result):
            print_result(result)
        case ControlHeard(request):
            assert_type(request, ControlRequest)


an_observer: Observer = observe


def look_at_progress(progress: ShardProgress) -> None:
    assert_type(progress.shard, Shard)
    assert_type(progress.done, int)
    assert_type(progress.problem, Problem | None)


async def a_fleet(selection: Selection, change: Change) -> RunRecord:
    fleet = FleetSettings(
        regions=("eu-west-1", "us-east-1"), accounts=("111111111111", "222222222222"), role_name="bulk-esm"
    )
    async with connect(fleet=fleet, executor="process", shards_at_once=40) as bulk:

        def told(shard: Shard, end: ShardEnd) -> None:
            assert_type((shard.name, end.seen, end.problem), tuple[str, int, Problem | None])

        context = PlanContext(intent=Intent(command="pause"), told=told)
        plan = await bulk.plan(selection, change, context=context)
        run = bulk.prepare(plan, groups=[bulk.shards[:1], bulk.shards[1:]], most_failed_shards=3)
        return await run.carry_out()


async def a_fleet_of_a_file_on_a_cluster() -> None:
    file = read_fleet_file(Path("fleet.toml"))
    assert_type(file, FleetFile)
    async with open_dask_executor("tls://host:8786") as executor:
        of_dask: Executor = executor
        async with connect(fleet=FleetSettings(file=file, shard_tags=("stage=canary",)), executor=of_dask) as bulk:
            for name, problem in (await bulk.list(Selection(all=True))).problems.items():
                assert_type(name, str)
                assert_type(problem.reason, str)
                raise problem.error()


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
            assert_type(difference, Difference)
            assert_type(difference.parameter, str)
            assert_type(difference.irreversible, bool)
    return plan.count(Action.UPDATE) + plan.count(Action.UNCHANGED) + plan.count(Action.BLOCKED)


def look_at_run_plan(plan: RunPlan) -> int:
    assert_type(plan.items(), Iterator[PlanItem])
    assert_type(plan.summary, PlanSummary)
    assert_type(plan.problems, list[Problem])
    assert_type(plan.nowhere, list[str])
    for entry in plan.entries:
        assert_type(entry, ShardEntry)
    for of_shard in plan.known.values():  # what these are is only read, so it needs no name
        for ending in of_shard.values():
            assert_type(ending.outcome, Outcome)
            assert_type(ending.error, ErrorRecord | None)
    return plan.count(Action.UPDATE)


def print_result(result: Result) -> None:
    assert_type(result.outcome, Outcome)
    assert_type(result.source_type, SourceType)
    assert_type(result.accepted_at, str | None)
    assert_type(result.duration_s, float | None)
    if result.error is not None and result.outcome in {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.CONFLICT}:
        assert_type(result.error, ErrorRecord)
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
    denial = Denial(action="lambda:UpdateEventSourceMapping", resources=("orders-*",), from_s=5)
    faults = Faults(error_share=0.05, list_lag_s=10, denied_accounts=frozenset({"210987654321"}), denials=(denial,))
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
