"""Plays a round: the changes of its chain one after another, each disturbed, continued, and judged."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

import bulk_esm
from torturing.changes import Command, Mappings, expected_of_apply, expected_of_pause, expected_of_undoing
from torturing.disturbing import KILLS, Disturbance, Ended, await_end_of, draw_disturbance, play
from torturing.judge import Expected, Finding, Kind, Seen, judge, judge_process
from torturing.rounds import Chain, Round
from torturing.served import Served

KILLED: Final = -signal.SIGKILL
_KILLS_OF_CHANGES: Final = 0.9
_KILLS_OF_CONTINUES: Final = 1 / 3
_MOST_DISTURBED: Final = 4  # processes of one operation; the next ones are let alone
_MOST_PROCESSES: Final = 10  # of one operation


class Operation(msgspec.Struct, kw_only=True):
    """A row of the table: one change with its continues.

    Attributes:
        continues_killed: of `kills`, those that hit a `continue`.
        done: what was done, in words, one for each process that was disturbed.
    """

    command: str
    processes: int = 0
    kills: int = 0
    continues: int = 0
    continues_killed: int = 0
    signals: int = 0
    done: list[str] = []
    findings: list[Finding] = []


class Player:
    """Plays one round.

    Args:
        drawn: the round.
        served: its simulator.
        folder: of the round; `home` in it is where commands run, and `processes.jsonl` notes them.
    """

    def __init__(self, drawn: Round, served: Served, folder: Path) -> None:
        self._round = drawn
        self._served = served
        self._folder = folder
        self._home = folder / "home"
        self._home.mkdir()
        self._groups: list[int] = []
        self._processes = 0
        self.operations: list[Operation] = []

    def play(self) -> None:
        """Play all of the chain; stops after the first change with which something is wrong."""
        first = self._served.mappings()
        selected = self._select(first)
        change = self._plan_change(first, selected)
        leave = self._round.chain in {
            Chain.PAUSE_LEFT_RESUME, Chain.PAUSE_LEFT_ROLLBACK, Chain.APPLY_LEFT_ROLLBACK
        }  # fmt: skip
        command, arguments, expected = change
        run, touched = self._change(command, arguments, expected, leave=leave)
        if run is None or self.findings:
            return
        undoing = expected_of_undoing(first, selected, touched)
        if self._round.chain in {Chain.PAUSE_RESUME, Chain.PAUSE_LEFT_RESUME}:
            self._change(Command.RESUME, ["resume", "--run", str(run)], undoing)
        else:
            self._change(Command.ROLLBACK, ["rollback", str(run)], undoing)

    @property
    def findings(self) -> list[Finding]:
        """All that is wrong so far."""
        return [finding for operation in self.operations for finding in operation.findings]

    def end(self) -> None:
        """Look whether any process outlives its command."""
        for group in await_end_of(self._groups):
            self.operations[-1].findings.append(Finding(Kind.ORPHAN, f"processes of the group {group} are still there"))

    def _select(self, mappings: Mappings) -> frozenset[str]:
        dice = self._round.dice("selection")
        uuids = sorted(mappings)
        chosen = dice.sample(uuids, max(1, round(self._round.share * len(uuids))))
        (self._home / "selected.txt").write_text("".join(f"{uuid}\n" for uuid in chosen))
        return frozenset(chosen)

    def _plan_change(self, first: Mappings, selected: frozenset[str]) -> tuple[Command, list[str], Expected]:
        which = ["--all"] if self._round.share == 1 else ["--from-file", "selected.txt"]
        which += self._round.place.which
        value = f"BatchSize={self._round.batch_size}"
        apply = expected_of_apply(first, selected, self._round.batch_size)
        match self._round.chain:
            case Chain.APPLY_ROLLBACK | Chain.APPLY_LEFT_ROLLBACK:
                return Command.APPLY, ["apply", *which, "--set", value], apply
            case Chain.SAVED_ROLLBACK:
                plan = ["plan", *which, "--set", value, "--save", "saved.jsonl"]
                rate = ["--rate", self._round.flags[self._round.flags.index("--rate") + 1]]
                operation = Operation(command="plan --save")
                self.operations.append(operation)
                self._process(operation, [*plan, *rate], Disturbance())
                return Command.APPLY_PLAN, ["apply", "--plan", "saved.jsonl", *self._round.place.which], apply
            case _:
                return Command.PAUSE, ["pause", *which], expected_of_pause(first, selected)

    def _change(
        self, command: Command, arguments: list[str], expected: Expected, *, leave: bool = False
    ) -> tuple[Path | None, frozenset[str]]:
        """Carry out a change to its end, however often it is disturbed, and judge it.

        Args:
            command: its name.
            arguments: of it.
            expected: what it must come to.
            leave: whether to leave it as it is once a run was disturbed.

        Returns:
            Its run, and the mappings that it had accepted.
        """
        operation = Operation(command=command, done=[], findings=[])
        self.operations.append(operation)
        before, accepted_before, runs_before = self._served.mappings(), self._served.accepted_count(), self._runs()
        left_alone = False
        while operation.processes < _MOST_PROCESSES and not operation.findings:
            run = next(iter(sorted(self._runs() - runs_before)), None)
            accepted = self._served.accepted(accepted_before)
            left = len(expected.updates - accepted.keys())
            dice = self._round.dice(f"{len(self.operations)}/{operation.processes}")
            disturbance = Disturbance()
            if operation.processes < _MOST_DISTURBED:
                disturbance = draw_disturbance(
                    dice,
                    kill_share=_KILLS_OF_CHANGES if run is None else _KILLS_OF_CONTINUES,
                    left=left,
                    is_new=run is None,
                    workers=bool(self._round.place.how),
                )
            if run is None:
                argv = [*arguments, *self._round.place.how]
            else:
                argv = ["continue", str(run), *self._round.place.how]
            ended = self._process(operation, [*argv, *self._round.flags], disturbance, runs_before=runs_before)
            run = next(iter(sorted(self._runs() - runs_before)), None)
            if leave and run is not None and ended.disturbed:
                left_alone = True
                break
            if ended.code == 0 and not ended.disturbed:
                break
        else:
            if not operation.findings:
                operation.findings.append(Finding(Kind.CODE, f"not finished after {operation.processes} processes"))
        accepted = self._served.accepted(accepted_before)
        if left_alone or operation.findings:
            if left_alone:
                operation.findings += self._nothing_twice(expected, accepted)
            return run, frozenset(accepted)
        seen = Seen(
            plan=[] if run is None else [line["uuid"] for line in _lines(run, "plan.jsonl")],
            results=[] if run is None else [(x["uuid"], x["outcome"]) for x in _lines(run, "results.jsonl")],
            accepted=accepted,
            before=before,
            after=self._served.mappings(),
        )
        operation.findings += judge(expected, seen)
        return run, frozenset(accepted)

    @staticmethod
    def _nothing_twice(expected: Expected, accepted: Counter[str]) -> list[Finding]:
        """What can be said of a change that was left as it was."""
        twice = [Finding(Kind.TWICE, f"{uuid}: {count}") for uuid, count in accepted.items() if count > 1]
        return twice + [Finding(Kind.OUTSIDE, uuid) for uuid in accepted.keys() - expected.updates]

    def _process(
        self,
        operation: Operation,
        arguments: Sequence[str],
        disturbance: Disturbance,
        *,
        runs_before: frozenset[Path] = frozenset(),
    ) -> Ended:
        ended = play(
            [sys.executable, "-m", "bulk_esm", *arguments],
            home=self._home,
            environment=self._environment(),
            disturbance=disturbance,
            accepted=self._served.accepted_count,
            published=lambda: bool(self._runs() - runs_before),
        )
        self._processes += 1
        self._groups.append(ended.group)
        self._note(arguments, disturbance, ended)
        was_killed = ended.disturbed and disturbance.what in KILLS and ended.code == KILLED
        is_continue = arguments[0] == "continue"
        operation.processes += 1
        operation.kills += was_killed
        operation.continues += is_continue
        operation.continues_killed += was_killed and is_continue
        operation.signals += ended.disturbed and disturbance.what not in KILLS
        if ended.disturbed:
            operation.done = [*operation.done, disturbance.what]
        operation.findings = [*operation.findings, *self._judge_process(ended, disturbance, was_killed=was_killed)]
        return ended

    @staticmethod
    def _judge_process(ended: Ended, disturbance: Disturbance, *, was_killed: bool) -> list[Finding]:
        if ended.code is None:
            return [Finding(Kind.HANG, f"after {ended.seconds:.0f} s: {ended.stderr[-300:]}")]
        if was_killed:
            codes = {KILLED}
        elif ended.disturbed and disturbance.what not in KILLS:
            codes = {0, 130}
        else:
            codes = {0}
        return judge_process(ended.code, ended.stderr, allowed=codes)

    def _note(self, arguments: Sequence[str], disturbance: Disturbance, ended: Ended) -> None:
        noted: dict[str, Any] = {
            "argv": list(arguments),
            "disturbance": disturbance,
            "ended": ended,
            "accepted_count": self._served.accepted_count(),
            "at": time.time(),
        }
        with (self._folder / "processes.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(noted) + b"\n")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(bulk_esm.__file__).parent.parent),
            "HOME": str(self._home),
            "AWS_CONFIG_FILE": str(self._home / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self._home / "aws-credentials"),
            **self._served.environment,
        }

    def _runs(self) -> frozenset[Path]:
        folder = self._home / "bulk-esm-runs"
        there = folder.iterdir() if folder.is_dir() else ()
        return frozenset(path for path in there if not path.name.startswith("."))


def _lines(run: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a file in all shards of a run."""
    return [msgspec.json.decode(line) for path in sorted(run.rglob(name)) for line in path.read_bytes().splitlines()]
