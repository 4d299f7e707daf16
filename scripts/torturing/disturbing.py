"""What is done to a process, and when: drawn, and then carried out."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from torturing.starting import Process

LONGEST_S: Final = 120.0  # of one process; what takes longer hangs
ORPHANS_END_WITHIN_S: Final = 20.0
_POLL_S: Final = 0.004
_STARTING_S: Final = 1.1  # how long imports and planning take, about

# Shares of what is drawn.
_SIGNALLED: Final = 0.4
_AT_THE_START: Final = 0.15
_BEFORE_ANYTHING_IS_SENT: Final = 0.15
_AS_IT_IS_ACCEPTED: Final = 0.5


class What(StrEnum):
    """What is done to it."""

    NOTHING = "nothing"
    KILL = "SIGKILL"  # to it and all that it started
    KILL_ALONE = "SIGKILL alone"  # its workers have to notice
    WORKER = "SIGKILL of a worker"  # whose work others have to take up
    INT = "SIGINT"
    INT_TWICE = "SIGINT twice"
    TERM = "SIGTERM"
    TERM_TWICE = "SIGTERM twice"
    TERM_INT = "SIGTERM, SIGINT"


_SIGNALS: Final[Mapping[What, tuple[signal.Signals, ...]]] = {
    What.NOTHING: (),
    What.KILL: (signal.SIGKILL,),
    What.KILL_ALONE: (signal.SIGKILL,),
    What.WORKER: (signal.SIGKILL,),
    What.INT: (signal.SIGINT,),
    What.INT_TWICE: (signal.SIGINT, signal.SIGINT),
    What.TERM: (signal.SIGTERM,),
    What.TERM_TWICE: (signal.SIGTERM, signal.SIGTERM),
    What.TERM_INT: (signal.SIGTERM, signal.SIGINT),
}
KILLS: Final = frozenset({What.KILL, What.KILL_ALONE})


class Disturbance(msgspec.Struct, frozen=True, kw_only=True):
    """What is done, and when.

    Attributes:
        accepted: wait until so many updates of this process were accepted; 0 does not wait.
        published: wait until its run is there.
        after_s: and then so long.
        again_s: from one signal to the next.
    """

    what: What = What.NOTHING
    accepted: int = 0
    published: bool = False
    after_s: float = 0.0
    again_s: float = 0.0

    @property
    def is_early(self) -> bool:
        """Whether it may come while all is still imported."""
        return self.what is not What.NOTHING and not self.accepted and not self.published


def draw_disturbance(dice: random.Random, *, kill_share: float, left: int, is_new: bool, workers: bool) -> Disturbance:
    """Draw what is done to a process.

    Args:
        dice: to draw with.
        kill_share: how often it is killed; of the others some get signals.
        left: how many updates it will send, about.
        is_new: whether it makes a run of its own.
        workers: whether other processes of its group work for it.
    """
    if dice.random() < kill_share:
        what = dice.choice([What.KILL, What.KILL, What.KILL_ALONE, What.WORKER]) if workers else What.KILL
    elif dice.random() < _SIGNALLED:
        what = dice.choice([What.INT, What.INT_TWICE, What.TERM, What.TERM_TWICE, What.TERM_INT])
    else:
        return Disturbance()
    again_s = dice.uniform(0, 0.5)
    if dice.random() < _AT_THE_START:
        return Disturbance(what=what, after_s=dice.uniform(0, _STARTING_S), again_s=again_s)
    if is_new and dice.random() < _BEFORE_ANYTHING_IS_SENT:
        return Disturbance(what=what, published=True, after_s=dice.uniform(0, 0.2), again_s=again_s)
    if left == 0:
        return Disturbance(what=what, after_s=dice.uniform(_STARTING_S / 2, 2 * _STARTING_S), again_s=again_s)
    after_s = 0.0 if dice.random() < _AS_IT_IS_ACCEPTED else dice.expovariate(5)
    return Disturbance(what=what, accepted=dice.randint(1, left), after_s=after_s, again_s=again_s)


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended.

    Attributes:
        code: negative if a signal killed it; None if it had to be killed as it hung.
        disturbed: whether what was to be done to it was done before it ended.
        group: the number of its process group.
    """

    code: int | None
    stdout: str
    stderr: str
    disturbed: bool
    seconds: float
    group: int


def play(
    start: Callable[[IO[str], IO[str]], Process],
    *,
    folder: Path,
    disturbance: Disturbance,
    accepted: Callable[[], int],
    published: Callable[[], bool],
) -> Ended:
    """Start a process, disturb it, and wait until it has ended.

    Args:
        start: starts it in a process group of its own, with these as its stdout and stderr.
        folder: where its outputs go.
        disturbance: what is done to it.
        accepted: how many updates were accepted so far.
        published: whether its run is there.
    """
    outputs = folder / "stdout", folder / "stderr"
    with outputs[0].open("w") as stdout, outputs[1].open("w") as stderr:
        started_at, before = time.monotonic(), accepted()
        process = start(stdout, stderr)
        disturbed = _disturb(
            process,
            disturbance,
            lambda: (not disturbance.published or published()) and accepted() - before >= disturbance.accepted,
        )
        code: int | None = None
        try:
            code = process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Ended(
        code=code,
        stdout=outputs[0].read_text(errors="replace"),
        stderr=outputs[1].read_text(errors="replace"),
        disturbed=disturbed,
        seconds=time.monotonic() - started_at,
        group=process.pid,
    )


def _disturb(process: Process, disturbance: Disturbance, is_time: Callable[[], bool]) -> bool:
    if disturbance.what is What.NOTHING:
        return False
    until = time.monotonic() + LONGEST_S
    while not is_time():
        if process.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    time.sleep(disturbance.after_s)
    for nth, number in enumerate(_SIGNALS[disturbance.what]):
        time.sleep(disturbance.again_s if nth else 0.0)
        if process.poll() is not None:
            return nth > 0
        if disturbance.what is What.KILL:
            os.killpg(process.pid, number)
        elif disturbance.what is What.WORKER:
            return _kill_a_worker(process.pid)
        else:
            process.send_signal(number)
    return True


def _kill_a_worker(group: int) -> bool:
    for process in _living():
        try:
            is_worker = b"spawn_main" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
            if process.group == group and is_worker:
                os.kill(process.pid, signal.SIGKILL)
                return True
        except OSError:  # it has ended meanwhile
            continue
    return False


def await_end_of(groups: Sequence[int]) -> list[int]:
    """Wait until no process of these groups is there any more.

    Returns:
        The groups of which some are.
    """
    until = time.monotonic() + ORPHANS_END_WITHIN_S
    while (alive := [group for group in groups if group in _living_groups()]) and time.monotonic() < until:
        time.sleep(0.05)
    for group in alive:
        os.killpg(group, signal.SIGKILL)
    return alive


class _Living(NamedTuple):
    pid: int
    group: int


def _living_groups() -> set[int]:
    return {process.group for process in _living()}


def _living() -> Iterator[_Living]:
    """All processes that are there and no zombies."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if state != "Z":
            yield _Living(int(path.parent.name), int(group))
