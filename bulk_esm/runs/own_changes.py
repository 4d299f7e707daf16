"""What runs of this store set since some moment: a change that is our own is nobody else's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bulk_esm.errors import RunFolderError
from bulk_esm.model.shard import Shard
from bulk_esm.store.finding import readable_runs
from bulk_esm.store.place import RunsDir
from bulk_esm.store.run_files import RunFiles

OwnChanges = dict[str, dict[str, Any]]


def own_changes(runs_dir: RunsDir, shard: Shard, *, since: datetime) -> OwnChanges:
    """What runs that started later set in a shard, as far as it was accepted: the values by UUID and parameter.

    Args:
        runs_dir: where runs are kept. Of a damaged run what is whole is taken.
        shard: the shard; one whose account is not known yet may be any in its Region.
        since: from when on.
    """
    found: OwnChanges = {}
    for run, record in sorted(readable_runs(runs_dir, salvage=True, since=since), key=lambda pair: pair[1].started_at):
        if datetime.fromisoformat(record.started_at) <= since:
            continue
        try:
            for uuid, request in _accepted(run, shard):
                found.setdefault(uuid, {}).update(request)
        except RunFolderError:
            continue  # that it cannot be read is told where it is asked for
    return found


def _accepted(run: RunFiles, shard: Shard) -> list[tuple[str, dict[str, Any]]]:
    return [
        (result.uuid, result.request)
        for other in run.planned()
        if other.region == shard.region and shard.account_id in (None, other.account_id)
        for result in run.shard(other).results()
        if result.accepted_at is not None
    ]
