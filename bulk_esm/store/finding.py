"""The folder that holds all runs: names new ones, finds old ones."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from bulk_esm.errors import ForeignRunError, RunFolderError
from bulk_esm.model.records import RunRecord
from bulk_esm.store.ownership import refuse_foreign
from bulk_esm.store.run_files import A_NAME, RunFiles
from bulk_esm.store.shard_files import RECORD


def new_run_id(command: str, started_at: datetime) -> str:
    """Name a run so that names sort by time and no two are the same.

    Args:
        command: such as `pause`.
        started_at: the time of day, in UTC.
    """
    return f"{started_at:%Y%m%dT%H%M%SZ}-{command}-{secrets.token_hex(3)}"


def all_runs(runs_dir: Path, *, salvage: bool = False) -> list[RunFiles]:
    """All runs in a folder, the oldest first; nothing of them is read or believed yet.

    Args:
        runs_dir: where runs are kept; it need not be there.
        salvage: whether to work with what is whole of damaged files.

    Raises:
        RunFolderError: the folder cannot be read.
    """
    if not runs_dir.is_dir():
        return []
    try:
        paths = sorted(path for path in runs_dir.iterdir() if not path.name.startswith("."))  # being planned; locks
    except OSError as error:
        raise RunFolderError(f"{runs_dir} cannot be read: {error.strerror}; see --runs-dir") from error
    return [RunFiles(path, salvage=salvage) for path in paths if _may_be_a_run(path)]


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


def readable_runs(runs_dir: Path, *, salvage: bool = False) -> list[tuple[RunFiles, RunRecord]]:
    """The runs in a folder whose records can be read and believed, the oldest first.

    Args:
        runs_dir: where runs are kept; it need not be there.
        salvage: whether to work with what is whole of damaged files.

    Raises:
        RunFolderError: the folder cannot be read.
    """
    found = records_of(all_runs(runs_dir, salvage=salvage))
    # Names tell the second in which a run began, and records more.
    readable = [(run, record) for run, record in found if isinstance(record, RunRecord)]
    return sorted(readable, key=lambda one: (one[1].started_at, one[0].path.name))


def find_run(
    runs_dir: Path, wanted: str, *, salvage: bool = False, is_meant: Callable[[RunFiles], bool] | None = None
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
    found = _find(runs_dir, wanted, salvage=salvage, is_meant=is_meant or (lambda _: True))
    refuse_foreign(found.path)
    return found


def _find(runs_dir: Path, wanted: str, *, salvage: bool, is_meant: Callable[[RunFiles], bool]) -> RunFiles:
    if wanted and _may_be_a_run(Path(wanted)):
        return RunFiles.of(Path(wanted), salvage=salvage)
    folders = all_runs(runs_dir, salvage=salvage)
    if not folders:
        raise RunFolderError(f"there are no runs in {runs_dir}; see --runs-dir")
    if wanted == "last":
        return _last(folders, is_meant)
    found = [folder for folder in folders if folder.path.name.startswith(wanted)] if wanted else []
    exact = [folder for folder in found if folder.path.name == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise RunFolderError(f"there is no run {wanted!r} in {runs_dir}; `bulk-esm runs` lists them")
    names = ", ".join(folder.path.name for folder in found[:5])
    raise RunFolderError(f"{wanted!r} fits {len(found)} runs: {names}; give more of the id")


def _last(runs: list[RunFiles], is_meant: Callable[[RunFiles], bool]) -> RunFiles:
    """The run that was the last to start, of those that may be meant.

    Raises:
        RunFolderError: none is, or none can be read; or by its name one that cannot was the last, so that another is
            not meant.
    """
    records = list(records_of(runs))
    readable = [(record.started_at, run.path.name, run) for run, record in records if isinstance(record, RunRecord)]
    newest_first = sorted(readable, key=lambda one: one[:2], reverse=True)
    _, last, found = next((one for one in newest_first if is_meant(one[2])), ("", "", None))
    for run, error in reversed(records):
        # A folder that a stranger put there was never this user's last run.
        is_ours = isinstance(error, RunFolderError) and not isinstance(error, ForeignRunError)
        if (found is None and not readable) or (is_ours and A_NAME.fullmatch(run.path.name) and run.path.name > last):
            raise RunFolderError(f"the last run may be {run.path.name}, and {error}; name the run that is meant")
    if found is None:
        raise RunFolderError(f"the runs in {runs[-1].path.parent} did not pause anything; `bulk-esm runs` lists them")
    return found


def _may_be_a_run(path: Path) -> bool:
    """Whether it has a record, as far as this user may look, or had one by its name."""
    try:
        return (path / RECORD).is_file() or (A_NAME.fullmatch(path.name) is not None and path.is_dir())
    except PermissionError:  # another user's
        return True
    except (OSError, ValueError):  # a name that none can have
        return False
