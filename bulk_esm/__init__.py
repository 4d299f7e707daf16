"""Change thousands of AWS Lambda event source mappings safely, at the speed of Lambda's quota.

See docs/ for the command line and for the Python API, of which this module is the whole surface. The names are imported
when they are first used, so that `bulk-esm --help` need not wait for an AWS client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bulk_esm._version import __version__
from bulk_esm.errors import AccessError, BulkEsmError, RefusedError, RunFolderError, ServiceError, UsageError

if TYPE_CHECKING:
    from bulk_esm.api import apply, connect, control
    from bulk_esm.aws.alarms import AlarmState
    from bulk_esm.bulk import BulkEsm
    from bulk_esm.executors.protocols import Executor
    from bulk_esm.executors.remote import open_dask_executor
    from bulk_esm.executors.tasks import ShardEnd
    from bulk_esm.gates.alarm import AlarmGate
    from bulk_esm.gates.calendar import CalendarGate
    from bulk_esm.gates.command import CommandGate
    from bulk_esm.gates.gate import Gate, WaveEnd
    from bulk_esm.model.calendars import CalendarState
    from bulk_esm.model.change import Change
    from bulk_esm.model.control import ControlRequest, ControlStatus
    from bulk_esm.model.differences import Difference
    from bulk_esm.model.drift import Drift
    from bulk_esm.model.events import (
        ControlHeard,
        GateAnswered,
        MappingEnded,
        RunBegan,
        RunEnded,
        RunEvent,
        WaveBegan,
    )
    from bulk_esm.model.gating import Closed, Inconclusive
    from bulk_esm.model.mapping import EventSourceMapping, SourceType, State
    from bulk_esm.model.plan import Action, Plan, PlanItem
    from bulk_esm.model.plan_summary import PlanSummary
    from bulk_esm.model.records import Intent, RunRecord, RunStatus, ShardEntry
    from bulk_esm.model.result import ErrorRecord, Outcome, Result
    from bulk_esm.model.rollout import RolloutSettings
    from bulk_esm.model.selection import Selection
    from bulk_esm.model.shard import Problem, Shard
    from bulk_esm.observers.observer import Observer
    from bulk_esm.runs.continuing import RunRest
    from bulk_esm.runs.controlling import ControlAnswer
    from bulk_esm.runs.listing import Inventory
    from bulk_esm.runs.planning import PlanContext, RunPlan
    from bulk_esm.runs.resuming import PausedShards, paused_by_runs
    from bulk_esm.runs.run import Run
    from bulk_esm.runs.shard_progress import ShardProgress
    from bulk_esm.runs.verifying import Verification
    from bulk_esm.shards.file import FleetFile, read_fleet_file
    from bulk_esm.shards.settings import FleetSettings
    from bulk_esm.store.run_files import RunFiles

__all__ = [
    "AccessError",
    "Action",
    "AlarmGate",
    "AlarmState",
    "BulkEsm",
    "BulkEsmError",
    "CalendarGate",
    "CalendarState",
    "Change",
    "Closed",
    "CommandGate",
    "ControlAnswer",
    "ControlHeard",
    "ControlRequest",
    "ControlStatus",
    "Difference",
    "Drift",
    "ErrorRecord",
    "EventSourceMapping",
    "Executor",
    "FleetFile",
    "FleetSettings",
    "Gate",
    "GateAnswered",
    "Inconclusive",
    "Intent",
    "Inventory",
    "MappingEnded",
    "Observer",
    "Outcome",
    "PausedShards",
    "Plan",
    "PlanContext",
    "PlanItem",
    "PlanSummary",
    "Problem",
    "RefusedError",
    "Result",
    "RolloutSettings",
    "Run",
    "RunBegan",
    "RunEnded",
    "RunEvent",
    "RunFiles",
    "RunFolderError",
    "RunPlan",
    "RunRecord",
    "RunRest",
    "RunStatus",
    "Selection",
    "ServiceError",
    "Shard",
    "ShardEnd",
    "ShardEntry",
    "ShardProgress",
    "SourceType",
    "State",
    "UsageError",
    "Verification",
    "WaveBegan",
    "WaveEnd",
    "__version__",
    "apply",
    "connect",
    "control",
    "open_dask_executor",
    "paused_by_runs",
    "read_fleet_file",
]

_HOMES = {
    "Action": "model.plan",
    "AlarmGate": "gates.alarm",
    "AlarmState": "aws.alarms",
    "BulkEsm": "bulk",
    "CalendarGate": "gates.calendar",
    "CalendarState": "model.calendars",
    "Change": "model.change",
    "Closed": "model.gating",
    "CommandGate": "gates.command",
    "ControlAnswer": "runs.controlling",
    "ControlHeard": "model.events",
    "ControlRequest": "model.control",
    "ControlStatus": "model.control",
    "Difference": "model.differences",
    "Drift": "model.drift",
    "ErrorRecord": "model.result",
    "EventSourceMapping": "model.mapping",
    "Executor": "executors.protocols",
    "FleetFile": "shards.file",
    "FleetSettings": "shards.settings",
    "Gate": "gates.gate",
    "GateAnswered": "model.events",
    "Inconclusive": "model.gating",
    "Intent": "model.records",
    "Inventory": "runs.listing",
    "MappingEnded": "model.events",
    "Observer": "observers.observer",
    "Outcome": "model.result",
    "PausedShards": "runs.resuming",
    "Plan": "model.plan",
    "PlanContext": "runs.planning",
    "PlanItem": "model.plan",
    "PlanSummary": "model.plan_summary",
    "Problem": "model.shard",
    "Result": "model.result",
    "RolloutSettings": "model.rollout",
    "Run": "runs.run",
    "RunBegan": "model.events",
    "RunEnded": "model.events",
    "RunEvent": "model.events",
    "RunFiles": "store.run_files",
    "RunPlan": "runs.planning",
    "RunRecord": "model.records",
    "RunRest": "runs.continuing",
    "RunStatus": "model.records",
    "Selection": "model.selection",
    "Shard": "model.shard",
    "ShardEnd": "executors.tasks",
    "ShardEntry": "model.records",
    "ShardProgress": "runs.shard_progress",
    "SourceType": "model.mapping",
    "State": "model.mapping",
    "Verification": "runs.verifying",
    "WaveBegan": "model.events",
    "WaveEnd": "gates.gate",
    "apply": "api",
    "connect": "api",
    "control": "api",
    "open_dask_executor": "executors.remote",
    "paused_by_runs": "runs.resuming",
    "read_fleet_file": "shards.file",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'bulk_esm' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bulk_esm.{home}"), name)
