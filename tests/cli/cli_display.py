"""A run for displays: how its shards stand is all that they look at."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from bulk_esm import Run
from bulk_esm.runs.shard_progress import ShardProgress


def a_run(
    progress: Sequence[ShardProgress], *, has_shards: bool = True, stage: str = "", stage_left_s: float = 0.0
) -> Run:
    return cast(
        "Run",
        SimpleNamespace(
            progress=progress,
            stage=stage,
            stage_left_s=stage_left_s,
            record=SimpleNamespace(command="pause", run_id="run"),
            files=SimpleNamespace(has_shards=has_shards),
        ),
    )
