"""What runs of this store changed of late, about which List is not believed yet; and what may still be on its way."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from bulk_esm.errors import RunFolderError
from bulk_esm.model.doubts import NO_DOUBTS, Doubts, doubts_of
from bulk_esm.model.shard import Shard
from bulk_esm.store.finding import readable_runs
from bulk_esm.store.place import RunsDir
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.shard_files import ShardFiles

# Guess: List lags by less than ten minutes; 1.3 s was captured once (F§0.2), and how long it can be is not documented.
RECENT_S: Final = 600.0
# The client's read timeout: a request that left before a kill may land so much later.
ON_ITS_WAY_S: Final = 60.0
_RATE_OF_LAMBDA: Final = 15.0
# Of runs that began earlier none is still at work, as far as anybody has seen: to look through all would be endless.
_LONGEST_RUN_S: Final = 7 * 86_400.0


def recent_doubts(runs_dir: RunsDir, shard: Shard, *, now_s: float, also: Iterable[RunFiles] = ()) -> Doubts:
    """Tell about which mappings of a shard List is not believed, after the runs of the last minutes.

    Of a damaged run what is whole is taken.

    Args:
        runs_dir: where runs are kept.
        shard: the shard; one whose account is not known yet may be any in its Region.
        now_s: seconds since the epoch.
        also: runs that may be kept elsewhere.
    """
    found = NO_DOUBTS
    began = datetime.fromtimestamp(now_s - _LONGEST_RUN_S, tz=UTC)
    there = {run.path.absolute(): run for run, _ in readable_runs(runs_dir, salvage=True, since=began)}
    others = [RunFiles(run.path, salvage=True, replica=run.replica) for run in also if run.path.absolute() not in there]
    for run in [*there.values(), *others]:
        try:
            found |= _of_run(run, shard, since_s=now_s - RECENT_S)
        except RunFolderError:
            continue  # that it cannot be read is told where it is asked for
    return found


def _of_run(run: RunFiles, shard: Shard, *, since_s: float) -> Doubts:
    if run.touched_at() < since_s and not run.unfinished():
        return NO_DOUBTS
    found = NO_DOUBTS
    for other in run.planned():
        files = run.shard(other)
        is_here = other.region == shard.region and shard.account_id in (None, other.account_id)
        if is_here and files.last_sent_at() >= since_s:
            found |= doubts_of(files.plan().items, files.results(), files.begun())
    return found


def seconds_to_wait(run: RunFiles, *, now_s: float, max_per_second: float) -> float:
    """How long something of a run that did not end may still be on its way to Lambda, in seconds.

    Args:
        run: the run.
        now_s: seconds since the epoch.
        max_per_second: requests/s; a control plane at higher speed than Lambda's is waited for less.
    """
    if not run.unfinished():
        return 0.0
    shards = (run.shard(shard) for shard in run.planned())
    last_s = max((files.last_sent_at() for files in shards if _is_something_on_its_way(files)), default=0.0)
    patience_s = ON_ITS_WAY_S * _RATE_OF_LAMBDA / max(_RATE_OF_LAMBDA, max_per_second)
    # The file's clock may be ahead of ours, as a server's or a container's is.
    return min(patience_s, max(0.0, last_s + patience_s - now_s))


def _is_something_on_its_way(files: ShardFiles) -> bool:
    begun = files.begun()
    return begun is None or not begun <= {result.uuid for result in files.results()}
