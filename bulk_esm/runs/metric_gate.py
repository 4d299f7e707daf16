"""Makes the gate that watches a run by CloudWatch's metrics, and what counts for it who was changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from bulk_esm.aws.session import Connection
from bulk_esm.gates.expressions import read_expressions
from bulk_esm.gates.metrics import MetricGate, WatchSettings
from bulk_esm.model.watching import Watch
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.run import Run
from bulk_esm.runs.shard_metrics import ShardMetrics
from bulk_esm.runs.watched import Watched


def metric_gate(
    home: Connection,
    fleet: Fleet,
    watched: Watched,
    settings: WatchSettings,
    *,
    tell: Callable[[str], None],
) -> MetricGate:
    """Make the gate.

    Args:
        home: the connection that all starts from.
        fleet: the shards.
        watched: what is watched, and who is changed.
        settings: what else there is to know of the run.
        tell: told what the user should know.

    Raises:
        UsageError: a file that a watch names makes no sense.
    """
    return MetricGate(
        watched.watches,
        ShardMetrics(home, fleet.shards, fleet.reach, is_named=fleet.is_named),
        watched.of,
        settings,
        tell=tell,
        expressions=read_expressions(watched.watches),
        clock=fleet.clock,
    )


def gate_of_run(home: Connection, fleet: Fleet, run: Run, *, tell: Callable[[str], None]) -> tuple[MetricGate, Watched]:
    """Make the gate of a run that is ready, as its settings say, and the observer that counts for it.

    Args:
        home: the connection that all starts from.
        fleet: the run's shards.
        run: the run.
        tell: told what the user should know.

    Raises:
        UsageError: a file that a watch names makes no sense.
        RunFolderError: the run's files cannot be read.
    """
    record = run.record
    watches: Sequence[Watch] = tuple(map(Watch.parse, record.rollout.watch))
    watched = Watched(watches, run.planned(), run.files.results() if record.continued_at else ())
    settings = WatchSettings(
        began_at=datetime.fromisoformat(record.started_at),
        attempt=max(1, len(record.invocations)),
    )
    return metric_gate(home, fleet, watched, settings, tell=tell), watched
