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
    from bulk_esm.engine.inventory import Inventory
    from bulk_esm.engine.single_run import Run
    from bulk_esm.model.change import Change
    from bulk_esm.model.drift import Drift
    from bulk_esm.model.mapping import EventSourceMapping, SourceType, State
    from bulk_esm.model.plan import Action, Plan, PlanItem
    from bulk_esm.model.records import Intent, RunRecord, RunStatus
    from bulk_esm.model.result import Outcome, Result
    from bulk_esm.model.rollout import RolloutSettings
    from bulk_esm.model.selection import Selection
    from bulk_esm.store.folder import RunFolder

__all__ = [
    "AccessError",
    "Action",
    "BulkEsm",
    "BulkEsmError",
    "Change",
    "Drift",
    "EventSourceMapping",
    "Intent",
    "Inventory",
    "Outcome",
    "Plan",
    "PlanItem",
    "RefusedError",
    "Result",
    "RolloutSettings",
    "Run",
    "RunFolder",
    "RunFolderError",
    "RunRecord",
    "RunStatus",
    "Selection",
    "ServiceError",
    "SourceType",
    "State",
    "UsageError",
    "__version__",
    "apply",
    "connect",
]

_HOMES = {
    "Action": "model.plan",
    "BulkEsm": "bulk",
    "Change": "model.change",
    "EventSourceMapping": "model.mapping",
    "Drift": "model.drift",
    "Intent": "model.records",
    "Inventory": "engine.inventory",
    "Outcome": "model.result",
    "Plan": "model.plan",
    "PlanItem": "model.plan",
    "Result": "model.result",
    "Run": "engine.single_run",
    "RolloutSettings": "model.rollout",
    "RunFolder": "store.folder",
    "RunRecord": "model.records",
    "RunStatus": "model.records",
    "Selection": "model.selection",
    "SourceType": "model.mapping",
    "State": "model.mapping",
    "apply": "api",
    "connect": "api",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'bulk_esm' has no attribute {name!r}")
    return getattr(importlib.import_module(f"bulk_esm.{home}"), name)
