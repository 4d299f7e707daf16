"""Names new runs, and finds old ones."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from bulk_esm.errors import ForeignRunError, RunFolderError
from bulk_esm.model.records import RunRecord
from bulk_esm.store.ownership import refuse_foreign
from bulk_esm.store.place import RunsDir, RunsPlace, is_run, place_at
from bulk_esm.store.run_files import A_NAME, RunFiles

_LOOKED_THROUGH_FIRST: Final = (50, 1_000)  # runs, the newest, for the one that was last


def new_run_id(command: str, started_at: datetime) -> str:
    """Name a run so that names sort by time and no two are the same.

    Args:
        command: such as `pause`.
        started_at: the time of day, in UTC.
    """
    return f"{started_at:%Y%m%dT%H%M%SZ}-{command}-{secrets.token_hex(3)}"


def all_runs(runs_dir: RunsDir, *, salvage: bool = False) -> list[RunFiles]:
    """All runs in a place, the oldest first; see `RunsPlace.all`.

    Args:
        runs_dir: where runs are kept.
        salvage: whether to work with what is whole of damaged files.
    """
    return place_at(runs_dir).all(salvage=salvage)


def records_of(runs: list[RunFiles]) -> Iterator[tuple[RunFiles, RunRecord | RunFolderError]]:
    """The record of each run, or why it has none that can be read and believed: it hides none but itself.

    Args:
        runs: the runs.

    Yields:
        Each run, in the order given, with its record or the error.
    """
    for run in runs:
        try:
            refuse_foreign(run.path, throughout=False)
            yield run, run.record()
        except RunFolderError as error:
            yield run, error


def readable_runs(
    runs_dir: RunsDir, *, salvage: bool = False, since: datetime | None = None, newest: int | None = None
) -> list[tuple[RunFiles, RunRecord]]:
    """The runs in a place whose records can be read and believed, the oldest first.

    Args:
        runs_dir: where runs are kept.
        salvage: whether to work with what is whole of damaged files.
        since: only those that began then or later.
        newest: only so many.

    Raises:
        RunFolderError: the place cannot be read.
    """
    found = records_of(place_at(runs_dir).all(salvage=salvage, since=since, newest=newest))
    # Names tell the second in which a run began, and records more.
    readable = [(run, record) for run, record in found if isinstance(record, RunRecord)]
    return sorted(readable, key=lambda one: (one[1].started_at, one[0].path.name))


def find_run(
    runs_dir: RunsDir, wanted: str, *, salvage: bool = False, is_meant: Callable[[RunFiles], bool] | None = None
) -> RunFiles:
    """Find a run as a user names it, and refuse one that is not this user's own.

    Args:
        runs_dir: where runs are kept.
        wanted: a run folder's path, a run's id, a unique prefix of it, or `last`.
        salvage: whether to work with what is whole of damaged files.
        is_meant: which runs `last` may mean; any if left out.

    Raises:
        RunFolderError: there is no such run, or the prefix fits several.
        ForeignRunError: it is another user's, or others can write it.
    """
    found = _find(place_at(runs_dir), wanted, salvage=salvage, is_meant=is_meant or (lambda _: True))
    refuse_foreign(found.path)
    return found


def _find(place: RunsPlace, wanted: str, *, salvage: bool, is_meant: Callable[[RunFiles], bool]) -> RunFiles:
    if wanted and is_run(Path(wanted)):
        return RunFiles.of(Path(wanted), salvage=salvage)
    if wanted == "last":
        return _last(place, is_meant, salvage=salvage)
    wanted = wanted.removeprefix(f"{place.shown}/")
    found = place.all(salvage=salvage, named=wanted) if wanted else []
    exact = [run for run in found if run.path.name == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found and not place.all(newest=1):
        raise _none_in(place, wanted)
    if not found:
        where = _in_a_bucket(wanted) or "`bulk-esm runs` lists them"
        raise RunFolderError(f"there is no run {wanted!r} in {place.shown}; {where}")
    names = ", ".join(run.path.name for run in found[:5])
    raise RunFolderError(f"{wanted!r} fits {len(found)} runs: {names}; give more of the id")


def _in_a_bucket(wanted: str) -> str | None:
    """How a run is named of which the whole name in S3 was given, as summaries show it; None if it was not."""
    where, _, run_id = wanted.rpartition("/")
    is_whole = where.startswith("s3://") and A_NAME.fullmatch(run_id)
    return f"name it as {run_id} --runs-dir {where}" if is_whole else None


def _none_in(place: RunsPlace, wanted: str = "") -> RunFolderError:
    where = _in_a_bucket(wanted) or "see --runs-dir"
    return RunFolderError(f"there are no runs in {place.shown}; {where}")


def _last(place: RunsPlace, is_meant: Callable[[RunFiles], bool], *, salvage: bool) -> RunFiles:
    """The run that was the last to start, of those that may be meant: it is among the newest, or further back.

    Raises:
        RunFolderError: none is, or none can be read; or by its name one that cannot was the last, so that another is
            not meant.
    """
    for newest in (*_LOOKED_THROUGH_FIRST, None):
        runs = place.all(salvage=salvage, newest=newest)
        if not runs:
            raise _none_in(place)
        if (found := _last_of(runs, is_meant)) is not None:
            return found
        if newest is not None and len(runs) < newest:
            break
    raise RunFolderError(f"the runs in {place.shown} did not pause anything; `bulk-esm runs` lists them")


def _last_of(runs: list[RunFiles], is_meant: Callable[[RunFiles], bool]) -> RunFiles | None:
    records = list(records_of(runs))
    readable = [(record.started_at, run.path.name, run) for run, record in records if isinstance(record, RunRecord)]
    newest_first = sorted(readable, key=lambda one: one[:2], reverse=True)
    _, last, found = next((one for one in newest_first if is_meant(one[2])), ("", "", None))
    for run, error in reversed(records):
        # A folder that a stranger put there was never this user's last run.
        is_ours = isinstance(error, RunFolderError) and not isinstance(error, ForeignRunError)
        if (found is None and not readable) or (is_ours and A_NAME.fullmatch(run.path.name) and run.path.name > last):
            raise RunFolderError(f"the last run may be {run.path.name}, and {error}; name the run that is meant")
    return found
