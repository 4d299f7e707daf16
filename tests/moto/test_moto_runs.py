"""List, plan, apply, pause and resume against moto, by the Python API."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto_account import ACCOUNT_ID, REGION, UNKNOWN_UUID, Fleet, MotoAccount, into, planned, queue_arn

from bulk_esm import (
    Action,
    BulkEsm,
    Change,
    Intent,
    Outcome,
    RefusedError,
    Result,
    Run,
    RunStatus,
    Selection,
    SourceType,
    apply,
)
from bulk_esm.model.resuming import paused_by

pytest_plugins = ("moto_fixtures",)

EVERYTHING = Selection(all=True)
PAUSE = Change({"Enabled": False})
RESUME = Change({"Enabled": True})


def outcomes(results: list[Result]) -> dict[str, Outcome]:
    """Outcomes by UUID, of results of which each mapping has just one."""
    found = {result.uuid: result.outcome for result in results}
    assert len(found) == len(results)
    return found


def is_(outcome: Outcome, uuids: set[str]) -> dict[str, Outcome]:
    return dict.fromkeys(uuids, outcome)


def paused_by_run(run: Run) -> Selection:
    return Selection(uuids=paused_by(run.files.items(), run.files.results()))


async def test_lists_every_mapping_as_it_is(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    inventory = await bulk.list(Selection())
    assert {mapping.uuid: (mapping.source_type, mapping.state) for mapping in inventory.mappings} == {
        fleet.queue: (SourceType.SQS, "Enabled"),
        fleet.queue_off: (SourceType.SQS, "Disabled"),
        fleet.fifo: (SourceType.SQS_FIFO, "Enabled"),
        fleet.stream: (SourceType.KINESIS, "Enabled"),
        fleet.stream_off: (SourceType.KINESIS, "Disabled"),
        fleet.table: (SourceType.DYNAMODB, "Enabled"),
    }
    assert inventory.seen == 6
    assert {mapping.function.account_id for mapping in inventory.mappings} == {ACCOUNT_ID}


async def test_an_empty_account_has_nothing_to_list_and_nothing_to_pause(moto: MotoAccount, bulk: BulkEsm) -> None:
    assert (await bulk.list(Selection())).mappings == ()
    record = await bulk.apply(await bulk.plan(EVERYTHING, PAUSE))
    assert (record.status, record.counts) == (RunStatus.FINISHED, {})


async def test_a_plan_says_what_would_change_and_changes_nothing(
    moto: MotoAccount, fleet: Fleet, bulk: BulkEsm
) -> None:
    before = moto.read()
    plan = planned(await bulk.plan(EVERYTHING, PAUSE))
    assert {item.uuid for item in plan.updates} == fleet.enabled
    assert {item.uuid for item in plan.items if item.action is Action.UNCHANGED} == {fleet.queue_off, fleet.stream_off}
    assert all(item.request == {"Enabled": False} for item in plan.updates)
    assert moto.read() == before


async def test_resuming_a_run_enables_what_it_paused_and_leaves_the_rest(
    moto: MotoAccount, fleet: Fleet, bulk: BulkEsm
) -> None:
    before = moto.states()
    results: list[Result] = []
    pause = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(command="pause"))
    record = await pause.carry_out([into(results)])
    assert outcomes(results) == is_(Outcome.UPDATED, fleet.enabled) | is_(
        Outcome.UNCHANGED, {fleet.queue_off, fleet.stream_off}
    )
    assert set(moto.states().values()) == {"Disabled"}
    assert (record.status, record.account_id, record.region) == (RunStatus.FINISHED, ACCOUNT_ID, REGION)
    assert record.counts == {"updated": 4, "unchanged": 2}
    assert record.requests["update"] == 4

    selection = paused_by_run(pause)
    assert selection.uuids == fleet.enabled
    results.clear()
    resume = bulk.prepare(await bulk.plan(selection, RESUME), intent=Intent(command="resume"))
    await resume.carry_out([into(results)])
    assert outcomes(results) == is_(Outcome.UPDATED, fleet.enabled)
    assert moto.states() == before


async def test_what_was_resumed_by_someone_else_is_unchanged(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    pause = bulk.prepare(await bulk.plan(EVERYTHING, PAUSE), intent=Intent(command="pause"))
    await pause.carry_out()
    moto.update(fleet.queue, Enabled=True)
    plan = planned(await bulk.plan(paused_by_run(pause), RESUME))
    assert {item.uuid for item in plan.updates} == fleet.enabled - {fleet.queue}


async def test_a_run_folder_has_one_result_for_each_line_of_the_plan(
    moto: MotoAccount, fleet: Fleet, bulk: BulkEsm, tmp_path: Path
) -> None:
    record = await bulk.apply(await bulk.plan(EVERYTHING, PAUSE))

    def lines(name: str) -> list[dict[str, Any]]:
        return [
            msgspec.json.decode(line) for line in (tmp_path / "runs" / record.run_id / name).read_bytes().splitlines()
        ]

    assert len(lines("results.jsonl")) == len(lines("plan.jsonl")) == 6
    assert {line["uuid"] for line in lines("results.jsonl")} == fleet.everything
    for line in lines("results.jsonl"):
        settled = line["outcome"] == "updated"
        assert (line["update_calls"], bool(line["settled_at"])) == (settled, settled)
        assert (line["state"], line["error"], line["account_id"]) == ("Disabled", None, ACCOUNT_ID)


async def test_members_that_only_moto_returns_are_kept_in_the_plan(
    moto: MotoAccount, fleet: Fleet, bulk: BulkEsm
) -> None:
    # moto returns a mapping's tags with it; Lambda does not, and botocore's model has no such member.
    run = bulk.prepare(await bulk.plan(Selection(uuids=frozenset({fleet.queue})), PAUSE))
    [item] = run.files.items()
    before = item.before.configuration
    assert before["Tags"] == {"wave": "1"}
    assert before["State"] == "Enabled"
    assert "ResponseMetadata" not in before


async def test_batch_size_where_each_source_can_take_it(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    plan = await bulk.plan(EVERYTHING, Change({"BatchSize": 50}))
    with pytest.raises(RefusedError, match="3 mappings are blocked"):
        await bulk.apply(plan)
    assert {moto.get(uuid, "BatchSize") for uuid in fleet.everything} == {10, 100, 500}
    results: list[Result] = []
    record = await bulk.apply(plan, skip_blocked=True, observers=[into(results)])
    blocked = {fleet.queue, fleet.queue_off, fleet.fifo}
    assert outcomes(results) == is_(Outcome.UPDATED, fleet.streams) | is_(Outcome.BLOCKED, blocked)
    why = {result.uuid: result.error.message for result in results if result.error}
    assert "MaximumBatchingWindowInSeconds" in why[fleet.queue]
    assert "from 1 to 10" in why[fleet.fifo]
    assert {moto.get(uuid, "BatchSize") for uuid in fleet.streams} == {50}
    assert {moto.get(uuid, "BatchSize") for uuid in blocked} == {10}
    assert record.requests["update"] == 3


async def test_retry_attempts_are_for_streams_only(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    plan = await bulk.plan(EVERYTHING, Change({"MaximumRetryAttempts": 3}))
    results: list[Result] = []
    record = await bulk.apply(plan, skip_blocked=True, observers=[into(results)])
    assert outcomes(results) == is_(Outcome.UPDATED, fleet.streams) | is_(
        Outcome.BLOCKED, fleet.everything - fleet.streams
    )
    assert {moto.get(uuid, "MaximumRetryAttempts") for uuid in fleet.streams} == {3}
    assert {moto.get(uuid, "MaximumRetryAttempts") for uuid in fleet.everything - fleet.streams} == {None}
    assert record.requests["update"] == 3


# moto ignores LoggingConfig and the two Kafka configurations, and has none of the sources that take them.
OF_STREAMS: dict[str, Any] = {
    "BisectBatchOnFunctionError": True,
    "DestinationConfig": {"OnFailure": {"Destination": queue_arn("dead")}},
    "FilterCriteria": {"Filters": [{"Pattern": '{"kind": ["order"]}'}]},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MaximumBatchingWindowInSeconds": 20,
    "MaximumRecordAgeInSeconds": 3600,
    "MaximumRetryAttempts": 0,
    "MetricsConfig": {"Metrics": ["EventCount"]},
    "ParallelizationFactor": 4,
    "TumblingWindowInSeconds": 30,
}
OF_QUEUES: dict[str, Any] = {
    "KMSKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/{UNKNOWN_UUID}",
    "ProvisionedPollerConfig": {"MinimumPollers": 2, "MaximumPollers": 20},
    "ScalingConfig": {"MaximumConcurrency": 5},
}


async def test_every_parameter_that_moto_knows_can_be_set_and_cleared_again(moto: MotoAccount, bulk: BulkEsm) -> None:
    moto.create_function("orders")
    stream, queue = moto.create_stream("clicks"), moto.create_queue("orders")
    asked = OF_STREAMS | OF_QUEUES
    mappings = {name: moto.create_mapping("orders", stream, StartingPosition="LATEST") for name in OF_STREAMS}
    encryptable = {"KMSKeyArn": {"FilterCriteria": OF_STREAMS["FilterCriteria"]}}  # a key alone is ignored
    mappings |= {name: moto.create_mapping("orders", queue, **encryptable.get(name, {})) for name in OF_QUEUES}
    selection = Selection(uuids=frozenset(mappings.values()))

    async def apply_to_each(changes: dict[str, Change]) -> None:
        plan = await bulk.plan(selection, changes)
        assert (await bulk.apply(plan)).counts == {"updated": len(asked)}
        # Done is done: the same again finds nothing left to do, in moto's form of a cleared parameter too.
        again = await bulk.plan(selection, changes)
        assert {item.action for item in again.items()} == {Action.UNCHANGED}

    await apply_to_each({mappings[name]: Change({name: value}) for name, value in asked.items()})
    assert {name: moto.get(uuid, name) for name, uuid in mappings.items()} == asked
    await apply_to_each({uuid: Change({}, unset=(name,)) for name, uuid in mappings.items()})


async def test_a_member_merges_into_what_the_mapping_has(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    # moto replaces whole parameters, so what is not sent along would be lost.
    moto.update(fleet.queue, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 20})
    change = Change.parse(["ProvisionedPollerConfig.MaximumPollers=40"])
    await bulk.apply(await bulk.plan(Selection(uuids=frozenset({fleet.queue})), change))
    assert moto.get(fleet.queue, "ProvisionedPollerConfig") == {"MinimumPollers": 2, "MaximumPollers": 40}


async def test_each_mapping_its_own_change(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    changes = {fleet.queue: Change({"BatchSize": 5}), fleet.stream: Change({"BatchSize": 700, "Enabled": False})}
    plan = await bulk.plan(Selection(uuids=frozenset(changes)), changes)
    assert (await bulk.apply(plan)).counts == {"updated": 2}
    assert moto.get(fleet.queue, "BatchSize") == 5
    assert (moto.get(fleet.stream, "BatchSize"), moto.get(fleet.stream, "State")) == (700, "Disabled")


def test_the_synchronous_call(moto: MotoAccount, fleet: Fleet, tmp_path: Path) -> None:
    record = apply(Selection(source_types=(SourceType.KINESIS,)), PAUSE, runs_dir=tmp_path, max_per_second=2_000)
    assert record.counts == {"updated": 1, "unchanged": 1}
    assert moto.get(fleet.stream, "State") == "Disabled"
    assert moto.get(fleet.queue, "State") == "Enabled"


async def test_more_mappings_than_a_page_holds(moto: MotoAccount, bulk: BulkEsm) -> None:
    # moto has no pages: whatever MaxItems says, it returns all at once and no marker.
    moto.create_function("orders")
    queue = moto.create_queue("orders")
    uuids = {moto.create_mapping("orders", queue) for _ in range(101)}
    results: list[Result] = []
    plan = await bulk.plan(EVERYTHING, PAUSE)
    assert bulk.home.control_plane.request_counts()["list"] == 1
    await bulk.apply(plan, observers=[into(results)])
    assert outcomes(results) == is_(Outcome.UPDATED, uuids)
    assert moto.states() == dict.fromkeys(uuids, "Disabled")


async def test_an_unknown_uuid_is_blocked_and_stops_nobody_else(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    selection = Selection(uuids=frozenset({fleet.queue, UNKNOWN_UUID}))
    assert (await bulk.list(selection)).unknown == (UNKNOWN_UUID,)
    plan = await bulk.plan(selection, PAUSE)
    with pytest.raises(RefusedError):
        await bulk.apply(plan)
    results: list[Result] = []
    record = await bulk.apply(plan, skip_blocked=True, observers=[into(results)])
    assert outcomes(results) == {fleet.queue: Outcome.UPDATED, UNKNOWN_UUID: Outcome.BLOCKED}
    assert record.requests["update"] == 1


async def test_a_mapping_changed_behind_a_saved_plan_is_a_conflict(
    moto: MotoAccount, fleet: Fleet, bulk: BulkEsm
) -> None:
    saved = planned(await bulk.plan(Selection(uuids=frozenset(fleet.streams)), Change({"BatchSize": 50})))
    moto.update(fleet.stream, ParallelizationFactor=2)  # someone else's business
    moto.update(fleet.table, BatchSize=50)  # what the plan wants, done already
    plan = await bulk.renew(saved)
    assert [known.keys() for known in plan.known.values()] == [{fleet.stream}]
    results: list[Result] = []
    await bulk.prepare(plan).carry_out([into(results)])
    assert outcomes(results) == {
        fleet.stream: Outcome.CONFLICT,
        fleet.stream_off: Outcome.UPDATED,
        fleet.table: Outcome.UNCHANGED,
    }
    assert moto.get(fleet.stream, "BatchSize") == 500


async def test_what_is_as_planned_is_carried_out_as_saved(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    saved = planned(await bulk.plan(EVERYTHING, PAUSE))
    moto.update(fleet.queue)  # an update of nothing makes only LastModified new
    plan = await bulk.renew(saved)
    assert planned(plan) == saved
    assert not plan.known
