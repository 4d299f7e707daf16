"""Which files of a run are kept in S3, and under which names. Pure.

    RUN_ID/run.json  fleet.json  plan.jsonl  results.old.jsonl  task.json       as on disk
    RUN_ID/begun.jsonl  results.jsonl  log.jsonl                                as they were when they were last whole
    RUN_ID/results.jsonl.GENERATION.00000001 ...                                what was appended since
    RUN_ID/shards/ACCOUNT-REGION/...                                            likewise of each shard
    RUN_ID/asked/...                            what others ask of the run; neither fetched nor written as its files are

A generation is made whenever the whole file is written, which says in its metadata which segments follow it: to write
it takes those of the generation before out of use, at once and for all readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bulk_esm.errors import RunFolderError
from bulk_esm.store.asked import ASKED
from bulk_esm.store.begun import BEGUN
from bulk_esm.store.run_files import FLEET, SHARDS, TASK
from bulk_esm.store.shard_files import LOG, OLD_RESULTS, PLAN, RECORD, RESULTS

APPENDED: Final = (BEGUN, RESULTS, LOG)
# In this order they are written: what a later file tells of is there by then. The record is what makes it a run.
_IN_ORDER: Final = (BEGUN, OLD_RESULTS, RESULTS, LOG, TASK, PLAN, RECORD, FLEET)
GENERATION: Final = "generation"
WITH_HEAD: Final = "with-head"  # of a segment of `begun.jsonl` that begins with what its first line is by then
FIRST_GENERATION: Final = "first"  # of segments before which no whole file was written

_A_SHARD: Final = rf"{SHARDS}/[A-Za-z0-9-]+/"
_A_FILE: Final = re.compile(rf"(?:{_A_SHARD})?(?:{'|'.join(map(re.escape, _IN_ORDER))})")
_A_SEGMENT: Final = re.compile(rf"({_A_FILE.pattern})\.([0-9a-z]+)\.(\d{{8}})")


def is_file(name: str) -> bool:
    """Whether a name below a run's is that of one of its files; whatever else is there is not ours."""
    return _A_FILE.fullmatch(name) is not None


def asked_key(run_id: str, name: str) -> str:
    """Where a request to a run is, or its status.

    Args:
        run_id: the run.
        name: the file's; of none, what all of them begin with.
    """
    return f"{run_id}/{ASKED}/{name}"


def is_appended(name: str) -> bool:
    """Whether a file grows while a run goes."""
    return name.rpartition("/")[2] in APPENDED


def rank(name: str) -> int:
    """When a file is written, among the others: those of a rank may be written side by side."""
    return len(_IN_ORDER) if name == RECORD else _IN_ORDER.index(name.rpartition("/")[2])


def segment_name(name: str, generation: str, number: int) -> str:
    """What a segment is called.

    Args:
        name: the file.
        generation: which whole file it follows.
        number: its place among those that do, from 1.
    """
    return f"{name}.{generation}.{number:08d}"


def segments_of(name: str, generation: str, names: Iterable[str]) -> list[str]:
    """The segments that follow a whole file, in their order.

    Args:
        name: the file.
        generation: that of the whole file.
        names: all that are there.

    Raises:
        RunFolderError: one is missing among them.
    """
    numbers = sorted(
        int(found[3])
        for each in names
        if (found := _A_SEGMENT.fullmatch(each)) and found.group(1, 2) == (name, generation)
    )
    if numbers != list(range(1, len(numbers) + 1)):
        missing = next(number for number in range(1, numbers[-1] + 1) if number not in set(numbers))
        raise RunFolderError(f"{name} is damaged: segment {missing} of {numbers[-1]} is missing")
    return [segment_name(name, generation, number) for number in numbers]


def is_segment(name: str) -> bool:
    """Whether a name is that of a segment."""
    return _A_SEGMENT.fullmatch(name) is not None


def file_of(segment: str) -> str:
    """The file that a segment is of."""
    found = _A_SEGMENT.fullmatch(segment)
    return found[1] if found else ""
