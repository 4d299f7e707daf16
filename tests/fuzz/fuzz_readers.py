"""Every reader of what comes from outside as a function of bytes: it gives a value, or refuses it in words."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import msgspec
from fuzz_mutations import BYTES, TEXTS, VALUES, encoded, mutated, mutated_json

from bulk_esm.cli.inputs import read_change, read_selection
from bulk_esm.cli.options import ChangeOptions, SelectOptions
from bulk_esm.errors import BulkEsmError
from bulk_esm.model.change import Change
from bulk_esm.model.drift import drift_of
from bulk_esm.model.losses import loss_lines, losses
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import PlanItem, match_plan, plan_item
from bulk_esm.model.plan_summary import PlanSummary
from bulk_esm.model.rollback import inverse_of, rollback_item
from bulk_esm.model.transitions import transition_of
from bulk_esm.model.waves import waves_of
from bulk_esm.shards.file import read_fleet_file
from bulk_esm.shards.settings import FleetSettings
from bulk_esm.store.begun import read_begun
from bulk_esm.store.finding import find_run, readable_runs
from bulk_esm.store.lock import _who
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.saved_plan import read_plan
from bulk_esm.store.shard_files import ShardFiles

_REFUSALS: Final = (1, 2, 3, 5)


class Reader(NamedTuple):
    """A reader, and what it reads.

    Attributes:
        name: what is read.
        file: the name of the file that is written for it.
        reads: reads that file.
        seeds: valid documents.
    """

    name: str
    file: str
    reads: Callable[[Path], object]
    seeds: tuple[bytes, ...]


def an_input(seeds: tuple[bytes, ...], random: Random) -> bytes:
    """A valid document after some accidents, or what never was one."""
    kind, seed = random.random(), random.choice(seeds)
    if kind < 0.45:
        return mutated_json(seed, random)
    if kind < 0.9:
        return mutated(seed, random)
    if kind < 0.94:
        return encoded(random.choice(VALUES), random)
    return b"".join(
        random.choice((random.choice(BYTES), random.choice(TEXTS).encode("utf-8", "surrogatepass"), b"a", b"\n"))
        for _ in range(random.randrange(12))
    )


def outcome(reader: Reader, content: bytes, folder: Path) -> str:
    """What comes of it: `read`, or `refused` with the exit code.

    Raises:
        Exception: what no reader may let out.
    """
    path = folder / reader.file
    path.write_bytes(content)
    try:
        found = reader.reads(path)
    except BulkEsmError as error:
        if error.exit_code not in _REFUSALS:
            raise
        str(error).encode("utf-8", "surrogateescape")
        return f"refused ({error.exit_code})"
    msgspec.json.encode(found)  # what was read can be written down again
    return "read"


# What users write

A_MAPPING: Final[dict[str, Any]] = {
    "UUID": "00000000-0000-4000-8000-000000000001",
    "EventSourceMappingArn": "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:00000000-0000-4000-8000-1",
    "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
    "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
    "State": "Enabled",
    "StateTransitionReason": "User action",
    "LastModified": 1_700_000_000.125,
    "LastProcessingResult": "OK",
    "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0,
    "ParallelizationFactor": 1,
    "MaximumRecordAgeInSeconds": -1,
    "BisectBatchOnFunctionError": False,
    "FilterCriteria": {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]},
    "FilterCriteriaError": {"ErrorCode": "x", "Message": "y"},
    "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q"}},
    "Topics": ["t"],
    "Queues": ["q"],
    "SourceAccessConfigurations": [{"Type": "VIRTUAL_HOST", "URI": "/"}, {"Type": "BASIC_AUTH", "URI": "arn:x"}],
    "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092"]}},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "AmazonManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {"EventRecordFormat": "JSON"}},
    "ScalingConfig": {"MaximumConcurrency": 5},
    "DocumentDBEventSourceConfig": {"DatabaseName": "d", "CollectionName": "c", "FullDocument": "Default"},
    "MetricsConfig": {"Metrics": ["EventCount"]},
    "ProvisionedPollerConfig": {"MinimumPollers": 1, "MaximumPollers": 2, "New": {"a": [1]}},
    "Invented": {"a": [{"b": None}]},
}  # fmt: skip
SOURCES: Final = (
    "arn:aws:sqs:us-east-1:123456789012:q",
    "arn:aws:sqs:us-east-1:123456789012:q.fifo",
    "arn:aws:kafka:us-east-1:123456789012:cluster/c/1",
    "arn:aws:mq:us-east-1:123456789012:broker:b",
    "arn:aws:rds:us-east-1:123456789012:cluster:d",
    "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1",
    None,
)
CHANGES: Final = (
    Change({"Enabled": False}),
    Change({"BatchSize": 5, "FunctionName": "g", "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}),
    Change({"ProvisionedPollerConfig": {"MaximumPollers": 3}, "ScalingConfig": {"MaximumConcurrency": 7}}),
    Change({}, ("FilterCriteria", "DestinationConfig", "SourceAccessConfigurations", "KMSKeyArn", "MetricsConfig")),
)
_UUID: Final = A_MAPPING["UUID"]
_REQUEST: Final = {
    "Enabled": True,
    "BatchSize": 7,
    "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:q"}},
    "SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:1:secret:x"}],
}
_YAML: Final = (
    b"Enabled: true\nBatchSize: 7\nFilterCriteria:\n  Filters:\n  - Pattern: '{}'\nDestinationConfig: &a {}\n"
)
_TOML: Final = b'Enabled = true\nBatchSize = 7\n[ScalingConfig]\nMaximumConcurrency = 5\n[[a.b]]\nc = "d"\n'
_FLEET: Final = {
    "regions": ["eu-west-1"],
    "role_name": "r",
    "external_id": "xx",
    "tags": {"a": "b"},
    "shards": [
        {"account": "111111111111", "rate": 8.0},
        {"region": "us-east-1", "role_arn": "arn:aws:iam::222222222222:role/x"},
    ],
}


def _json(*values: object) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)


def changed(change: Change | dict[str, Change]) -> object:
    """Hold a change against a mapping of each kind, as planning does."""
    for one in (change,) if isinstance(change, Change) else change.values():
        for source in SOURCES:
            plan_item(one, EventSourceMapping(A_MAPPING | {"EventSourceArn": source}))
    return change


def _read_change(path: Path) -> object:
    return changed(read_change(ChangeOptions(change=path)))


def _read_requests(path: Path) -> object:
    return changed(read_change(ChangeOptions(requests=str(path))))


def _read_uuids(path: Path) -> object:
    return read_selection(SelectOptions(from_file=(str(path),)))


def _with_stdin(read: Callable[[], object]) -> Callable[[Path], object]:
    def reads(path: Path) -> object:
        with patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes()), encoding="utf-8")):
            return read()

    return reads


def _read_fleet(path: Path) -> object:
    file = read_fleet_file(path)
    FleetSettings(file=file).check()
    return file


# What runs left

_ITEM: Final = {
    "uuid": _UUID,
    "function_arn": A_MAPPING["FunctionArn"],
    "event_source_arn": A_MAPPING["EventSourceArn"],
    "source_type": "kinesis",
    "state": "Enabled",
    "action": "update",
    "request": _REQUEST,
    "diff": [{"parameter": "Enabled", "before": True, "after": False, "irreversible": False}],
    "problems": [],
    "before": A_MAPPING,
}
_RESULT: Final = {
    "run_id": "r",
    "uuid": _UUID,
    "function_arn": None,
    "event_source_arn": None,
    "source_type": "sqs",
    "account_id": "123456789012",
    "region": "us-east-1",
    "wave": 1,
    "outcome": "failed",
    "state": "Enabled",
    "request": {"Enabled": False},
    "error": {"code": "c", "message": "m", "request_id": None},
    "update_calls": 1,
    "accepted_at": "2026-01-02T03:04:05.000Z",
}
_RECORD: Final = {
    "run_id": "20260102T030405Z-pause-abc123",
    "command": "pause",
    "argv": ["pause", "--all"],
    "version": "0",
    "account_id": "123456789012",
    "region": "us-east-1",
    "started_at": "2026-01-02T03:04:05.000Z",
    "ended_at": "2026-01-02T03:05:05.000Z",
    "status": "finished",
    "counts": {"updated": 1},
    "requests": {"list": 1},
    "rollout": {"waves": ["1", "100%"], "most_failures": 5, "gates": ["true"]},
}
_FLEET_RECORD: Final = {
    "shards": [{"shard": {"account_id": "123456789012", "region": "us-east-1", "tags": {"a": "b"}}, "items": 1}],
    "groups": [["123456789012-us-east-1"]],
}


def used(items: tuple[PlanItem, ...]) -> object:
    """What a plan's lines are for: rollback, drift, a saved plan's renewal, waves."""
    for item in items:
        inverse_of(item)
        if not item.before.configuration.get("UUID"):
            continue
        for now in (item.before, EventSourceMapping(A_MAPPING)):
            drift_of(item, now)
            match_plan(item, now)
            rollback_item(item, now)
            rollback_item(item, now, force=True)
        for change in CHANGES:
            plan_item(change, item.before)
    list(loss_lines(losses(items)))
    waves_of(items, ())
    PlanSummary().add(items)
    for item in items:
        transition_of(item)
    return items


def _read_plan_of_run(path: Path) -> object:
    return used(ShardFiles(path.parent).plan().items)


def _read_plan_salvaged(path: Path) -> object:
    return used(ShardFiles(path.parent, salvage=True).plan().items)


def _read_saved(path: Path) -> object:
    return used(read_plan(path, salvage=True).items)


def _read_record(path: Path) -> object:
    readable_runs(path.parent.parent)
    return find_run(path.parent.parent, str(path.parent)).record()


def _read_fleet_record(path: Path) -> object:
    (path.parent / "run.json").write_bytes(msgspec.json.encode(_RECORD))
    fleet = RunFiles(path.parent, salvage=True).fleet()
    for entry in fleet.shards:
        assert (path.parent / entry.shard.name).parent == path.parent, entry.shard.name
    return fleet


def _sealed_plan() -> bytes:
    return _json(_ITEM, {"lines": 1, "sha256": "0" * 64})


READERS: Final = (
    Reader("--change in JSON", "change.json", _read_change, (_json(_REQUEST),)),
    Reader("--change in YAML", "change.yaml", _read_change, (_YAML,)),
    Reader("--change in TOML", "change.toml", _read_change, (_TOML,)),
    Reader("--requests", "requests.jsonl", _read_requests, (_json({"UUID": _UUID} | _REQUEST),)),
    Reader("--from-file", "uuids", _read_uuids, (f"# all\n{_UUID}\n".encode(), _json({"uuid": _UUID}))),
    Reader(
        "--requests from stdin",
        "requests.jsonl",
        _with_stdin(lambda: changed(read_change(ChangeOptions(requests="-")))),
        (_json({"UUID": _UUID} | _REQUEST),),
    ),
    Reader(
        "--from-file from stdin",
        "uuids",
        _with_stdin(lambda: read_selection(SelectOptions(from_file=("-",)))),
        (f"{_UUID}\n".encode(),),
    ),
    Reader("--fleet in YAML", "fleet.yaml", _read_fleet, (_json(_FLEET),)),
    Reader("--fleet in TOML", "fleet.toml", _read_fleet, (b'role_name = "r"\n[[shards]]\naccount = "111111111111"\n',)),
    Reader("run.json", "run.json", _read_record, (_json(_RECORD),)),
    Reader("fleet.json", "fleet.json", _read_fleet_record, (_json(_FLEET_RECORD),)),
    Reader("plan.jsonl", "plan.jsonl", _read_plan_of_run, (_json(_ITEM),)),
    Reader("plan.jsonl, salvaged", "plan.jsonl", _read_plan_salvaged, (_json(_ITEM, _ITEM),)),
    Reader("a saved plan", "saved.jsonl", _read_saved, (_sealed_plan(),)),
    Reader("results.jsonl", "results.jsonl", lambda path: list(ShardFiles(path.parent).results()), (_json(_RESULT),)),
    Reader("begun.jsonl", "begun.jsonl", read_begun, (_json({"wave": 1, "uuids": [_UUID]}),)),
    Reader("a lock's file", "lock", _who, (_json({"pid": 1, "command": "pause", "started_at": "x", "run": "y"}),)),
)
