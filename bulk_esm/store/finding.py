"""The folder that holds all runs: names new ones, finds old ones."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

from bulk_esm.errors import RunFolderError
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.shard_files import RECORD


def new_run_id(command: str, started_at: datetime) -> str:
    """Name a run so that names sort by time and no two are the same.

    Args:
        command: such as `pause`.
        started_at: the time of day, in UTC.
    """
    return f"{started_at:%Y%m%dT%H%M%SZ}-{command}-{secrets.token_hex(3)}"


def all_runs(runs_dir: Path, *, salvage: bool = False) -> list[RunFiles]:
    """All runs in a folder, the oldest first.

    Args:
        runs_dir: where runs are kept; it need not be there.
        salvage: whether to work with what is whole of damaged files.
    """
    if not runs_dir.is_dir():
        return []
    paths = (path for path in sorted(runs_dir.iterdir()) if not path.name.startswith("."))  # being planned
    return [RunFiles(path, salvage=salvage) for path in paths if (path / RECORD).is_file()]


def find_run(runs_dir: Path, wanted: str, *, salvage: bool = False) -> RunFiles:
    """Find a run as a user names it.

    Args:
        runs_dir: where runs are kept.
        wanted: a run folder's path, a run's id, a unique prefix of it, or `last`.
        salvage: whether to work with what is whole of damaged files.

    Raises:
        RunFolderError: there is no such run, or the prefix fits several.
    """
    if (Path(wanted) / RECORD).is_file():
        return RunFiles.of(Path(wanted), salvage=salvage)
    folders = all_runs(runs_dir, salvage=salvage)
    if not folders:
        raise RunFolderError(f"there are no runs in {runs_dir}; see --runs-dir")
    if wanted == "last":
        return max(folders, key=lambda folder: (folder.record().started_at, folder.path.name))
    found = [folder for folder in folders if folder.path.name.startswith(wanted)] if wanted else []
    exact = [folder for folder in found if folder.path.name == wanted]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise RunFolderError(f"there is no run {wanted!r} in {runs_dir}; `bulk-esm runs` lists them")
    names = ", ".join(folder.path.name for folder in found[:5])
    raise RunFolderError(f"{wanted!r} fits {len(found)} runs: {names}; give more of the id")
