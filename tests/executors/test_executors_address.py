import asyncio
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import cast

import pytest

from bulk_esm.executors import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is in a folder of the user")


class Writer:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def get_extra_info(self, _: str) -> socket.socket:
        return self._connection


def is_let_in(uid: int) -> bool:
    """Whether a process of that user may speak to the driver."""
    with socket.socket(socket.AF_UNIX) as server, processes._address() as address:
        server.bind(address)
        server.listen()
        child = os.fork()
        if child == 0:
            try:
                os.setuid(uid)
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(address)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        connection, _ = server.accept()
        with connection:
            return processes._is_of_this_user(cast("asyncio.StreamWriter", Writer(connection)))


def test_a_process_of_the_same_user() -> None:
    assert is_let_in(os.geteuid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_process_of_another_user() -> None:
    assert not is_let_in(65534)


def test_the_address_is_in_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with processes._address():
        assert list(tmp_path.iterdir()) == []
