"""Where runs are kept: a folder, or a bucket whose runs are worked with in a folder meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from bulk_esm.errors import RunFolderError
from bulk_esm.store.run_files import A_NAME, RunFiles
from bulk_esm.store.shard_files import RECORD

if TYPE_CHECKING:
    from bulk_esm.store.s3.locks import S3Locks

_TIME_OF_DAY: Final = "%Y%m%dT%H%M%SZ"


class RunsPlace(Protocol):
    """Where runs are kept.

    Attributes:
        folder: where they are on this machine, while they are worked with.
        shown: the place, as a user names it.
        most_for_a_note: how many of the newest are read for what is only a note beside the work; None for all.
    """

    shown: str
    most_for_a_note: int | None

    @property
    def folder(self) -> Path:
        """See above."""
        ...

    def all(
        self, *, salvage: bool = False, since: datetime | None = None, newest: int | None = None, named: str = ""
    ) -> list[RunFiles]:
        """All runs there, the oldest first by their names; nothing of them is believed yet.

        Args:
            salvage: whether to work with what is whole of damaged files.
            since: only those that began then or later, by their names.
            newest: only so many.
            named: only those whose names begin so.

        Raises:
            RunFolderError: the place cannot be read.
        """
        ...

    def by_id(self, run_ids: Iterable[str]) -> list[RunFiles]:
        """Those of some runs that another machine may have worked at, as far as they are there."""
        ...

    def locks_for(self, endpoint_url: str | None) -> S3Locks | None:
        """The locks that all machines share which keep runs there; None if only the kernel's are.

        Args:
            endpoint_url: where requests to Lambda go; None for AWS.
        """
        ...

    def fetch(self, runs: Sequence[RunFiles]) -> None:
        """Bring all files of some runs to this disk, side by side, as all of them are to be read.

        Args:
            runs: the runs. One that cannot be read says so when it is.
        """
        ...

    def begin(self, run_id: str) -> RunFiles:
        """Make the files of a run that is being planned; nobody takes it for a run until it is published.

        Args:
            run_id: the run.

        Raises:
            RunFolderError: none can be made there.
        """
        ...


class RunsFolder:
    """A folder that holds runs; it need not be there."""

    most_for_a_note: int | None = None

    def __init__(self, folder: Path) -> None:
        """Name it."""
        self._folder = folder
        self.shown = str(folder)

    @property
    def folder(self) -> Path:
        """Where the runs are."""
        return self._folder

    def all(
        self, *, salvage: bool = False, since: datetime | None = None, newest: int | None = None, named: str = ""
    ) -> list[RunFiles]:
        """All runs there; see `RunsPlace`."""
        if not self.folder.is_dir():
            return []
        try:
            # Those whose names begin with a point are being planned, or hold locks.
            paths = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise RunFolderError(f"{self.folder} cannot be read: {error.strerror}; see --runs-dir") from error
        paths = [path for path in paths if path.name.startswith(named)]
        found = [RunFiles(path, salvage=salvage) for path in paths if began_since(path.name, since) and is_run(path)]
        return found if newest is None else found[-newest:] if newest else []

    def by_id(self, _run_ids: Iterable[str]) -> list[RunFiles]:
        """None, as `all` tells of all that are here; see `RunsPlace`."""
        return []

    def locks_for(self, _endpoint_url: str | None) -> None:
        """None; see `RunsPlace`."""

    def fetch(self, runs: Sequence[RunFiles]) -> None:
        """They are here; see `RunsPlace`."""

    def begin(self, run_id: str) -> RunFiles:
        """Make the files of a run that is being planned; see `RunsPlace`."""
        return RunFiles.begin(self.folder, run_id)


RunsDir = Path | RunsPlace


def place_at(runs_dir: RunsDir) -> RunsPlace:
    """A place where runs are kept: a folder, if it is named by its path."""
    return RunsFolder(runs_dir) if isinstance(runs_dir, Path) else runs_dir


def began_since(run_id: str, since: datetime | None) -> bool:
    """Whether a run began at some moment or later, by its name; one that has another name may have."""
    return since is None or not A_NAME.fullmatch(run_id) or run_id >= first_name_of(since)


def first_name_of(moment: datetime) -> str:
    """What the names of runs that begin in the second of a moment begin with."""
    return f"{moment:{_TIME_OF_DAY}}"


def is_run(path: Path) -> bool:
    """Whether a folder has a record, as far as this user may look, or had one by its name."""
    try:
        return (path / RECORD).is_file() or (A_NAME.fullmatch(path.name) is not None and path.is_dir())
    except PermissionError:  # another user's
        return True
    except (OSError, ValueError):  # a name that none can have
        return False
