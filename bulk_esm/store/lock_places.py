"""Where locks are kept: in folders that are this user's alone, and that two of a user's runs have in common.

Each run locks in all of its places, so two of them meet if they share one:

- the user's runtime folder: `XDG_RUNTIME_DIR`, else systemd's `/run/user/UID`, so that cron and a shell agree;
- a hidden folder in the folder of each run that is made or taken up: `/run/user/UID` goes when its user logs out, and a
  container has none.

`TMPDIR` has no part in it, as two shells may have two of them, and all users share what is usually there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

_NAME: Final = "bulk-esm-locks"
_MODE: Final = 0o700


def lock_folders(runs_dirs: Iterable[Path]) -> list[Path]:
    """The folders in which a run must hold its lock, in the order in which every run takes them.

    Args:
        runs_dirs: where the runs are kept that it makes or takes up.
    """
    below = sorted({Path(os.path.realpath(folder)) / f".{_NAME}-{os.geteuid()}" for folder in runs_dirs})
    runtime = _runtime_folder()
    return below if runtime is None else [runtime / _NAME, *below]


def make_folder(folder: Path) -> list[Path]:
    """Make a folder of locks, if it is not there.

    Returns:
        What was made for it, the outermost first.

    Raises:
        OSError: it cannot be made.
    """
    missing = [folder]
    while not os.path.lexists(missing[0].parent):
        missing.insert(0, missing[0].parent)
    made = []
    for one in missing:
        with suppress(FileExistsError):  # another was faster
            one.mkdir(mode=_MODE if one == folder else 0o777)
            made.append(one)
    return made


def open_folder(folder: Path) -> int:
    """Open a folder of locks.

    Returns:
        A descriptor, relative to which nobody else can change what a name means.

    Raises:
        OSError: it cannot be opened, is a symbolic link, or is not this user's alone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "its folder is not this user's alone", str(folder))
    return descriptor


def open_file(name: str, *, folder: int) -> int:
    """Open a lock's file, and make it if it is not there.

    Args:
        name: its name.
        folder: the descriptor of its folder.

    Raises:
        OSError: it cannot be opened or made, or is not a file of this user with this one name.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe would be waited for
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "it is not a file of this user with this one name", name)
    return descriptor


def _runtime_folder() -> Path | None:
    """The user's runtime folder, if it is what the specification of `XDG_RUNTIME_DIR` says: the user's alone."""
    for folder in (Path(os.environ.get("XDG_RUNTIME_DIR", "")), Path(f"/run/user/{os.geteuid()}")):
        with suppress(OSError):
            found = folder.lstat()
            is_private = stat.S_IMODE(found.st_mode) == _MODE and found.st_uid == os.geteuid()
            if folder.is_absolute() and stat.S_ISDIR(found.st_mode) and is_private:
                return folder
    return None
