"""The process of a gate's command: it ends by itself, or with all that it has started."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import IO, Any, Final
from uuid import uuid4

import anyio
import anyio.abc

from bulk_esm.gates.output import Output

_MARK: Final = "BULK_ESM_GATE_MARK"  # a variable that a process inherits from whoever started it

_GATE: Final = 'read -r _ || exit; exec /bin/sh -c "$1" </dev/null'  # not before it is watched
# A line comes when the gate has ended; the end of the file without one when it is to end, or this process has, killed
# perhaps. Then its process group is killed, and, where there is /proc, what has left that and has the mark.
_WATCH: Final = """
read -r _ && exit
kill -s KILL -- "-$1"
for of in $(grep -lsF "$2" /proc/[0-9]*/environ); do
    of=${of#/proc/}
    kill -s KILL "${of%/environ}"
done
"""


async def run_shell(command: str, output: Output, environment: Mapping[str, str]) -> int:
    """Run a command to its end; cancelled, it is killed with all that it has started.

    Args:
        command: for the shell.
        output: takes what it writes.
        environment: what it gets.

    Returns:
        Its exit code.

    Raises:
        OSError: it cannot be started.
    """
    mark = f"{_MARK}={uuid4().hex}"
    process = await _started(
        ["/bin/sh", "-c", _GATE, "sh", command],
        output.file,
        env={**environment, _MARK: mark.partition("=")[2]},
    )
    try:
        async with _ending_with_this_process(process.pid, mark), output.passed_on():
            await _say_go(process)
            return await process.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()


@asynccontextmanager
async def _ending_with_this_process(group: int, mark: str) -> AsyncIterator[None]:
    """Have a process group killed if it is cancelled, or this process killed.

    A gate that outlives its run would be asked beside the next.
    """
    # In a session of its own: what kills this process's group must not kill it.
    watch = await _started(["/bin/sh", "-c", _WATCH, "sh", str(group), mark], subprocess.DEVNULL)
    try:
        yield
        await _say_go(watch)
    finally:
        with anyio.CancelScope(shield=True):
            await watch.aclose()  # which closes its input, and waits for it


async def _started(
    command: list[str], output: IO[Any] | int, *, env: Mapping[str, str] | None = None
) -> anyio.abc.Process:
    """Start a process. A cancellation meanwhile is heard afterwards: else nobody would know of it, nor wait for it."""
    with anyio.CancelScope(shield=True):
        process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=env, start_new_session=True
        )
    return process  # noqa: RET504 - mypy takes a cancel scope for one that may end the block early


async def _say_go(process: anyio.abc.Process) -> None:
    if process.stdin is not None:
        with suppress(anyio.BrokenResourceError):  # somebody killed it
            await process.stdin.send(b"\n")
            await process.stdin.aclose()
