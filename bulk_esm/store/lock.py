"""The lock of an account and Region on this machine: two runs that interleave would each undo the other's work."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from bulk_esm.errors import RefusedError, RunFolderError
from bulk_esm.store.lock_places import lock_folders, make_folder, open_file, open_folder

_TRIES: Final = 50


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

    def __init__(self, holder: Holder) -> None:
        """Hold nothing yet; see `take`."""
        self._held: list[tuple[Path, int]] = []
        self._made: list[Path] = []
        self._holder = holder

    @classmethod
    def take(
        cls,
        account_id: str | None,
        region: str,
        *,
        endpoint_url: str | None,
        holder: Holder,
        runs_dirs: Iterable[Path],
    ) -> Self:
        """Take the lock in each of its places, or refuse.

        Args:
            account_id: the account; None if it is not known.
            region: the Region.
            endpoint_url: where requests go; None for AWS.
            holder: who takes it.
            runs_dirs: where the runs are kept that it makes or takes up.

        Raises:
            RefusedError: another run holds it.
            RunFolderError: no lock can be kept there.
        """
        lock = cls(holder)
        name = f"{lock_name(account_id, region, endpoint_url)}.lock"
        try:
            for folder in lock_folders(runs_dirs):
                lock._take_in(folder / name, place_of(account_id, region))
        except BaseException:
            lock.release()
            raise
        lock._write()
        return lock

    def tell(self, run: str) -> None:
        """Say which run it is, once it has a folder."""
        self._holder = msgspec.structs.replace(self._holder, run=run)
        self._write()

    def release(self) -> None:
        """Let it go, and leave nothing behind.

        The file is removed while it is locked, so that it is nobody else's: who has opened it meanwhile sees, once it
        is free, that it has lost its name, and begins anew.
        """
        while self._held:
            path, descriptor = self._held.pop()
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)
        while self._made:
            with suppress(OSError):  # others are in it
                self._made.pop().rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _take_in(self, path: Path, where: str) -> None:
        try:
            self._held.append((path, self._locked(path)))
        except BlockingIOError as error:
            raise RefusedError(
                f"another run holds {where}: {_who(path)}; wait for it, or go on all the same with --no-lock"
            ) from error
        except OSError as error:
            raise RunFolderError(
                f"the lock {path} cannot be made: {error.strerror}; mend that, choose another --runs-dir, or go on "
                "without it with --no-lock"
            ) from error

    def _locked(self, path: Path) -> int:
        """Open and lock the file.

        Raises:
            BlockingIOError: another has locked it.
            OSError: it cannot be opened or locked.
        """
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):  # its folder has just been removed
                self._made += make_folder(path.parent)
                folder = open_folder(path.parent)
                try:
                    descriptor = open_file(path.name, folder=folder)
                finally:
                    os.close(folder)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.path.samestat(os.fstat(descriptor), path.lstat()):
                        return descriptor
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)  # it was removed meanwhile: who comes next would lock another
        raise OSError(errno.ENOENT, "it is removed again and again", str(path))

    def _write(self) -> None:
        for _, descriptor in self._held:
            with suppress(OSError):  # a full disk: it is locked all the same, and only its name is missing
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, msgspec.json.encode(self._holder) + b"\n", 0)


def place_of(account_id: str | None, region: str) -> str:
    """What a lock is of, for messages.

    Args:
        account_id: the account; None if it is not known.
        region: the Region.
    """
    return f"account {account_id}, {region}" if account_id else region


def lock_name(account_id: str | None, region: str, endpoint_url: str | None) -> str:
    """What a lock is called, wherever it is kept.

    Args:
        account_id: the account; None if it is not known.
        region: the Region.
        endpoint_url: where requests go; None for AWS.
    """
    world = f"-{hashlib.sha256(endpoint_url.rstrip('/').encode()).hexdigest()[:12]}" if endpoint_url is not None else ""
    return re.sub(r"[^A-Za-z0-9-]", "_", f"{account_id or 'unknown'}-{region}{world}")


def _who(path: Path) -> str:
    """Who holds it, as far as the file says: it may be empty or half written."""
    try:
        holder = msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors too
        return "it does not say who it is"
    run = f", in {holder.run}" if holder.run else ""
    said = f"{holder.command} since {holder.started_at}, process {holder.pid}{run}"
    return "".join(letter for letter in said if letter.isprintable())  # as any file of this user may say
