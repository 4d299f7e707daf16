"""Whether a run folder is this user's own: who writes there decides what is sent, and which gates are run."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from bulk_esm.errors import ForeignRunError, RunFolderError
from bulk_esm.store.asked import ASKED

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ENTER: Final = stat.S_IXGRP | stat.S_IXOTH
_ROOT: Final = 0


def refuse_foreign(folder: Path, *, throughout: bool = True) -> None:
    """Refuse a run folder that another user owns or that others can write.

    A group counts as others, even under a umask of 002 whose groups have one member each: the names of groups do not
    tell which do. It costs nobody anything, as run folders are made with 0700 whatever the umask is; only a copy that
    was made with such a umask needs the `chmod` that the refusal names.

    Args:
        folder: the run's.
        throughout: whether to look at all that is in it; else at the folder alone.

    Raises:
        ForeignRunError: it is no run of this user.
        RunFolderError: it cannot be looked at.
    """
    try:
        found = folder.stat()
        _refuse(folder, found, folder, others_can_enter=True)
        if throughout:
            _refuse_within(folder, folder, others_can_enter=bool(found.st_mode & _OTHERS_ENTER))
    except OSError as error:
        raise RunFolderError(f"{error.filename or folder} cannot be read: {error.strerror}") from error


def _refuse_within(run: Path, folder: Path, *, others_can_enter: bool) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if folder == run and entry.name == ASKED:
                continue  # each file there is looked at when it is read, and passed over if it is a stranger's
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # a file that was being written, and has its name by now
            _refuse(run, found, Path(entry.path), others_can_enter=others_can_enter)
            if stat.S_ISDIR(found.st_mode):
                within = others_can_enter and bool(found.st_mode & _OTHERS_ENTER)
                _refuse_within(run, Path(entry.path), others_can_enter=within)


def _refuse(run: Path, found: os.stat_result, path: Path, *, others_can_enter: bool) -> None:
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        raise ForeignRunError(f"{path} is neither a file nor a folder, so {run} is not believed: remove it")
    if found.st_uid not in (os.geteuid(), _ROOT):
        raise ForeignRunError(
            f"{path} is of another user (uid {found.st_uid}), so {run} is not believed: work as that user; "
            f"or read it, and if it is what you want, make a copy of your own: cp -R {run} COPY"
        )
    if others_can_enter and found.st_mode & _OTHERS_WRITE:
        raise ForeignRunError(
            f"others can write {path} (mode {stat.S_IMODE(found.st_mode):04o}), so {run} is not believed: read it, "
            f"its gates too, and if it is what you left there: chmod -R go-w {run}"
        )
