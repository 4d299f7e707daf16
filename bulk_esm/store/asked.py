"""What others ask of a run, and how it stands: small files beside its own, each written once, and one status.

    RUN_ID/asked/20260102T030405.000000Z-0a1b2c3d.json     what somebody asks: see `ControlRequest`
    RUN_ID/asked/status.json                               what became of it: see `ControlStatus`

None of it is the run's record: what was heeded is in `log.jsonl`. A file that is damaged, too large, or somebody
else's is passed over, and warned of once; it never ends a run.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import MAXYEAR, datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

from bulk_esm.errors import RunFolderError
from bulk_esm.logs import get_logger
from bulk_esm.model.control import ControlRequest, ControlStatus
from bulk_esm.store.jsonl import writing

log: Final = get_logger("store")

ASKED: Final = "asked"
STATUS: Final = "status.json"
MOST_BYTES: Final = 100_000  # of a status that has heard 1,000 requests; a request has a few hundred
MOST_FILES: Final = 1_000
_MOST_WARNINGS: Final = 5
_A_REQUEST: Final = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}\.json")
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_ROOT: Final = 0


class AskedPlace(Protocol):
    """Where a run is asked things.

    Attributes:
        every_s: how often a run at work looks there, in seconds.
    """

    every_s: float

    async def read(self) -> dict[str, ControlRequest]:
        """All requests, by name.

        Raises:
            BulkEsmError: the place cannot be read.
        """
        ...

    async def ask(self, name: str, request: ControlRequest) -> None:
        """Write a request down.

        Raises:
            BulkEsmError: it cannot be written.
        """
        ...

    async def status(self) -> ControlStatus | None:
        """How the run stands; None if it has told nothing yet that can be read.

        Raises:
            BulkEsmError: the place cannot be read.
        """
        ...

    async def tell(self, status: ControlStatus) -> None:
        """Replace how the run stands.

        Raises:
            BulkEsmError: it cannot be written.
        """
        ...


class ReadRequests:
    """The requests that were read, each once, and what was passed over."""

    def __init__(self) -> None:
        """Begin with none."""
        self.found: dict[str, ControlRequest] = {}
        self._passed_over: set[str] = set()

    def is_new(self, name: str) -> bool:
        """Whether a file is to be read: it has the name of a request, and was not read yet."""
        if name in self.found or name in self._passed_over or len(self.found) >= MOST_FILES:
            return False
        if not is_request(name):
            if name != STATUS and not name.endswith(".tmp"):
                self.pass_over(name, "it is no request by its name")
            return False
        return True

    def take(self, name: str, body: bytes) -> None:
        """Take note of a file."""
        try:
            self.found[name] = msgspec.json.decode(body, type=ControlRequest)
        except (ValueError, RecursionError) as error:
            self.pass_over(name, f"it is damaged: {error}")

    def pass_over(self, name: str, why: str) -> None:
        """Leave a file alone from now on, and say so once."""
        if name in self._passed_over:
            return
        self._passed_over.add(name)
        if len(self._passed_over) <= _MOST_WARNINGS:
            log.warning("request_passed_over", file=f"{ASKED}/{name}", why=why)


def is_request(name: str) -> bool:
    """Whether a name is that of a request."""
    if not _A_REQUEST.fullmatch(name):
        return False
    with suppress(ValueError):  # as of a thirteenth month
        at = datetime.strptime(name.partition("-")[0], _STAMP)  # noqa: DTZ007 - only whether it is one
        return at.year < MAXYEAR  # else none could be named after it
    return False


def new_nonce() -> str:
    """What tells a request from all others of the same moment."""
    return secrets.token_hex(4)


def read_status(body: bytes) -> ControlStatus | None:
    """A status, if it is one."""
    try:
        return msgspec.json.decode(body, type=ControlStatus)
    except (ValueError, RecursionError):
        return None


class AskedFolder:
    """In a run's folder; see `AskedPlace`."""

    def __init__(self, run: Path) -> None:
        """Look at a run's.

        Args:
            run: its folder.
        """
        self.every_s = 2.0
        self._folder = run / ASKED
        self._requests = ReadRequests()

    async def read(self) -> dict[str, ControlRequest]:
        """All requests, by name; see `AskedPlace`."""
        self._with_folder(self._read_new)
        return self._requests.found

    async def ask(self, name: str, request: ControlRequest) -> None:
        """Write a request down; see `AskedPlace`."""
        self._write(name, msgspec.json.encode(request))

    async def status(self) -> ControlStatus | None:
        """How the run stands; see `AskedPlace`."""
        found: list[ControlStatus | None] = []

        def read(folder: int) -> None:
            if isinstance(body := _read_own(STATUS, folder), bytes):
                found.append(read_status(body))

        self._with_folder(read)
        return found[0] if found else None

    async def tell(self, status: ControlStatus) -> None:
        """Replace how the run stands; see `AskedPlace`."""
        self._write(STATUS, msgspec.json.encode(status))

    def _read_new(self, folder: int) -> None:
        for name in sorted(os.listdir(folder)):
            if self._requests.is_new(name):
                found = _read_own(name, folder)
                if isinstance(found, bytes):
                    self._requests.take(name, found)
                else:
                    self._requests.pass_over(name, found)

    def _with_folder(self, read: Callable[[int], None]) -> None:
        """Read in the folder, if it is there and is this user's own."""
        try:
            with self._opened() as folder:
                read(folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise RunFolderError(f"{self._folder} cannot be read: {error.strerror}") from error

    def _write(self, name: str, body: bytes) -> None:
        """Write a file that appears whole; whoever loses it in a crash asks again."""
        unfinished = f".{name}.{new_nonce()}.tmp"
        with writing(self._folder / name):
            with suppress(FileExistsError):
                self._folder.mkdir(mode=0o700)
            with self._opened() as folder:
                try:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                    with open(os.open(unfinished, flags, 0o600, dir_fd=folder), "wb") as file:  # noqa: PTH123
                        file.write(body)
                    os.rename(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
                except OSError:
                    with suppress(OSError):
                        os.unlink(unfinished, dir_fd=folder)
                    raise

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder itself, whatever has its name afterwards.

        Raises:
            OSError: it is not there, is no folder, or is not this user's own.
        """
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if why := _why_not_own(os.fstat(folder)):
                raise PermissionError(errno.EPERM, why)
            yield folder
        finally:
            os.close(folder)


def _read_own(name: str, folder: int) -> bytes | str:
    """What a file of this user's holds; or, in words, why it is not read."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return "it is no file"
        if why := _why_not_own(found):
            return why
        body = os.read(descriptor, MOST_BYTES + 1)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    finally:
        os.close(descriptor)
    return body if len(body) <= MOST_BYTES else "it is too large"


def _why_not_own(found: os.stat_result) -> str | None:
    if found.st_uid not in (os.geteuid(), _ROOT):
        return f"it is of another user (uid {found.st_uid})"
    return "others can write it" if found.st_mode & _OTHERS_WRITE else None
