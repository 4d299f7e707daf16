"""The lock of an account and Region on this machine: two runs that interleave would each undo the other's work."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RefusedError, RunFolderError

_FOLDER: Final = "bulk-esm-locks"  # in the machine's folder for temporary files, so that all its users share it
_MODE_FOLDER: Final = 0o1777
_MODE_FILE: Final = 0o666
_TRIES: Final = 5


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a lock, for whoever finds it held.

    Attributes:
        pid: the process.
        command: such as `pause`.
        started_at: ISO 8601 in UTC.
        run: the run's folder, once there is one.
    """

    pid: int
    command: str
    started_at: str
    run: str | None = None


class RunLock:
    """A lock that is held. The kernel frees it when the process ends, however it ends, so it is never stale."""

    def __init__(self, descriptor: int, holder: Holder) -> None:
        """Take over a file that is locked; see `take`."""
        self._descriptor: int | None = descriptor
        self._holder = holder

    @classmethod
    def take(
        cls,
        account_id: str | None,
        region: str,
        *,
        endpoint_url: str | None,
        holder: Holder,
        folder: Path | None = None,
    ) -> Self:
        """Take the lock, or refuse.

        Raises:
            RefusedError: another run holds it.
            RunFolderError: no lock can be kept there.
        """
        folder = folder or Path(tempfile.gettempdir()) / _FOLDER
        path = folder / _file_name(account_id, region, endpoint_url)
        try:
            descriptor = _locked(path)
        except BlockingIOError as error:
            where = f"account {account_id}, {region}" if account_id else region
            raise RefusedError(
                f"another run holds {where}: {_who(path)}; wait for it, or go on all the same with --no-lock"
            ) from error
        except OSError as error:
            raise RunFolderError(
                f"the lock {path} cannot be made: {error.strerror}; mend that, or go on without it with --no-lock"
            ) from error
        lock = cls(descriptor, holder)
        lock._write()
        return lock

    def tell(self, run: str) -> None:
        """Say which run it is, once it has a folder."""
        self._holder = msgspec.structs.replace(self._holder, run=run)
        self._write()

    def release(self) -> None:
        """Let it go. The file stays: to remove it could remove one that another has just locked."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _write(self) -> None:
        if self._descriptor is None:
            return
        with suppress(OSError):  # a full disk: it is locked all the same, and only its name is missing
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, msgspec.json.encode(self._holder) + b"\n", 0)


def _file_name(account_id: str | None, region: str, endpoint_url: str | None) -> str:
    world = f"-{hashlib.sha256(endpoint_url.rstrip('/').encode()).hexdigest()[:12]}" if endpoint_url is not None else ""
    return re.sub(r"[^A-Za-z0-9-]", "_", f"{account_id or 'unknown'}-{region}{world}") + ".lock"


def _locked(path: Path) -> int:
    """Open and lock the file.

    Raises:
        BlockingIOError: another has locked it.
        OSError: it cannot be opened or locked.
    """
    for _ in range(_TRIES):
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # a cleaner of temporary files removed it: who comes next would lock another
    raise _comes_and_goes(path)


def _open(path: Path) -> int:
    """Open the file, for whoever comes first and for all others: other users, other umasks.

    Raises:
        OSError: it cannot be opened or made.
    """
    for _ in range(_TRIES):
        # No O_CREAT for a file that is there: in a folder that all may write, Linux refuses that to any but its owner.
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        with suppress(FileNotFoundError):
            _make_folder(path.parent)
            _make_file(path)
    raise _comes_and_goes(path)


def _make_folder(folder: Path) -> None:
    """Make it under another name first, as the umask is in the way until its mode is set."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        made.chmod(_MODE_FOLDER)
        made.rename(folder)
    except OSError:
        made.rmdir()
        if not folder.is_dir():  # else another was faster
            raise


def _make_file(path: Path) -> None:
    """Likewise, and a link never replaces the file of another who was faster."""
    descriptor, made = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
    try:
        os.fchmod(descriptor, _MODE_FILE)
        with suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            Path(made).unlink()


def _comes_and_goes(path: Path) -> OSError:
    return OSError(errno.ENOENT, "it is removed again and again", str(path))


def _who(path: Path) -> str:
    """Who holds it, as far as the file says: it may be empty or half written."""
    try:
        holder = msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, ValueError):  # msgspec's errors are ValueErrors too
        return "it does not say who it is"
    run = f", in {holder.run}" if holder.run else ""
    said = f"{holder.command} since {holder.started_at}, process {holder.pid}{run}"
    return "".join(letter for letter in said if letter.isprintable())  # any user of the machine may write it
