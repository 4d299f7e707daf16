"""Whether somebody carries a run out at this moment: told by a lock on its folder, which the kernel frees."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Show that a run is being carried out, for as long as this process lives.

    Args:
        folder: the run's. Where none can be locked, nobody can tell.
    """
    descriptor = None
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def is_at_work(folder: Path) -> bool | None:
    """Whether a run is being carried out; None where nobody can tell, as on a disk that is shared without locks.

    Args:
        folder: the run's.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False
