"""Change thousands of AWS Lambda event source mappings safely, at the speed of Lambda's quota.

See the README for the command line and for the Python API, of which this module is the whole surface. The names are
imported when they are first used, so that `bulk-esm --help` need not wait for an AWS client.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bulk_esm._version import __version__
from bulk_esm.errors import AccessError, BulkEsmError, RefusedError, RunFolderError, ServiceError, UsageError

if TYPE_CHECKING:
    from bulk_esm.api import apply, connect
    from bulk_esm.bulk import BulkEsm
    from bulk_esm.model.change import Change
    from bulk_esm.model.drift import Drift
    from bulk_esm.model.events import MappingEnded, RunBegan, RunEnded, RunEvent, WaveBegan
    from bulk_esm.model.mapping import EventSourceMapping, SourceType, State
    from bulk_esm.model.plan import Action, Plan, PlanItem
    from bulk_esm.model.plan_summary import PlanSummary
    from bulk_esm.model.records import Intent, RunRecord, RunStatus
    from bulk_esm.model.result import Outcome, Result
    from bulk_esm.model.rollout import RolloutSettings
    from bulk_esm.model.selection import Selection
    from bulk_esm.model.shard import Problem, Shard
    from bulk_esm.observers.observer import Observer
    from bulk_esm.runs.listing import Inventory
    from bulk_esm.runs.planning import RunPlan
    from bulk_esm.runs.run import Run
    from bulk_esm.runs.verifying import Verification
    from bulk_esm.shards.settings import FleetSettings
    from bulk_esm.store.run_files import RunFiles

__all__ = [
    "AccessError",
    "Action",
    "BulkEsm",
    "BulkEsmError",
    "Change",
    "Drift",
    "EventSourceMapping",
    "FleetSettings",
    "Intent",
    "Inventory",
    "MappingEnded",
    "Observer",
    "Outcome",
    "Plan",
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
    "RunStatus",
    "Selection",
    "ServiceError",
    "Shard",
    "SourceType",
    "State",
    "UsageError",
    "Verification",
    "WaveBegan",
    "__version__",
    "apply",
    "connect",
]

_HOMES = {
    "Action": "model.plan",
    "BulkEsm": "bulk",
    "Change": "model.change",
    "Drift": "model.drift",
    "EventSourceMapping": "model.mapping",
    "FleetSettings": "shards.settings",
    "Intent": "model.records",
    "Inventory": "runs.listing",
    "MappingEnded": "model.events",
    "Observer": "observers.observer",
    "Outcome": "model.result",
    "Plan": "model.plan",
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
    "RunStatus": "model.records",
    "Selection": "model.selection",
    "Shard": "model.shard",
    "SourceType": "model.mapping",
    "State": "model.mapping",
    "Verification": "runs.verifying",
    "WaveBegan": "model.events",
    "apply": "api",
    "connect": "api",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'bulk_esm' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bulk_esm.{home}"), name)
