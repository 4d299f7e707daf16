"""Plays a round: the changes of its chain one after another, each disturbed, continued, and judged."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

import bulk_esm
from torturing.changes import Command, Mappings, expected_of_apply, expected_of_pause, expected_of_undoing
from torturing.disturbing import KILLS, Disturbance, Ended, What, await_end_of, draw_disturbance, play
from torturing.judge import Expected, Finding, Kind, Seen, judge, judge_left, judge_process
from torturing.rounds import LEFT, Chain, Round
from torturing.rows import Operation
from torturing.served import Served
from torturing.starting import forked, spawned

KILLED: Final = -signal.SIGKILL
_KILLS_OF_CHANGES: Final = 0.9
_KILLS_OF_CONTINUES: Final = 1 / 3
_MOST_DISTURBED: Final = 4  # processes of one operation; the next ones are let alone
_MOST_PROCESSES: Final = 10  # of one operation


class Player:
    """Plays one round.

    Args:
        drawn: the round.
        served: its simulator.
        folder: of the round; `home` in it is where commands run, and `processes.jsonl` notes them.
        fork: whether to fork commands off this process, which is faster, where the moment comes after the imports.
    """

    def __init__(self, drawn: Round, served: Served, folder: Path, *, fork: bool = False) -> None:
        self._round = drawn
        self._served = served
        self._folder = folder
        self._home = folder / "home"
        self._home.mkdir()
        self._groups: list[int] = []
        self._fork = fork
        self.operations: list[Operation] = []

    def play(self) -> None:
        """Play all of the chain; stops after the first change with which something is wrong."""
        first, since = self._served.mappings(), self._served.accepted_count()
        selected = self._select(first)
        command, arguments, expected = self._plan_change(first, selected)
        run = self._change(command, arguments, expected)
        if run is not None and not self.findings and self._may_be_undone(since):
            self._undo(run, first, selected, since=since)

    def _may_be_undone(self, since: int) -> bool:
        """Whether there is something to undo: a resume refuses a run that was left before it paused anything."""
        return self._round.chain is not Chain.PAUSE_LEFT_RESUME or self._served.accepted_count() > since

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

    def _change(self, command: Command, arguments: list[str], expected: Expected) -> Path | None:
        """Carry out a change, however often it is disturbed, and judge it.

        Returns:
            Its run.
        """
        operation = Operation(command=command)
        self.operations.append(operation)
        before, since, runs = self._served.mappings(), self._served.accepted_count(), self._runs()
        leave = self._round.chain in LEFT
        is_left = self._carry_on(operation, arguments, expected, leave=leave, since=since, runs=runs)
        run, accepted = self._run_beside(runs), self._served.accepted(since)
        if is_left:
            operation.findings = judge_left(expected, accepted)
        elif not operation.findings:
            operation.findings = judge(expected, self._seen(run, accepted, before))
        return run

    def _undo(self, run: Path, first: Mappings, selected: frozenset[str], *, since: int) -> None:
        """Put back or resume what a run did, ended or not, and judge it.

        Args:
            run: the run.
            first: the mappings before that.
            selected: what it selected.
            since: how many updates were accepted before that.
        """
        resumes = self._round.chain in {Chain.PAUSE_RESUME, Chain.PAUSE_LEFT_RESUME}
        arguments = ["resume", "--run", str(run)] if resumes else ["rollback", str(run)]
        operation = Operation(command=Command.RESUME if resumes else Command.ROLLBACK)
        self.operations.append(operation)
        before, runs = self._served.mappings(), self._runs()
        about = expected_of_undoing(first, selected, self._served.accepted(since).keys())
        self._carry_on(operation, arguments, about, leave=False, since=self._served.accepted_count(), runs=runs)
        if not operation.findings:
            # What was on its way when the first change was left may have been accepted since; so count both at the end.
            accepted = self._served.accepted(since)
            expected = expected_of_undoing(first, selected, accepted.keys())
            seen = self._seen(self._run_beside(runs), accepted - Counter(accepted.keys()), before)
            operation.findings = judge(expected, seen)

    def _seen(self, run: Path | None, accepted: Counter[str], before: Mappings) -> Seen:
        return Seen(
            plan=[line["uuid"] for line in self._lines(run, "plan.jsonl")],
            results=[(line["uuid"], line["outcome"]) for line in self._lines(run, "results.jsonl")],
            accepted=accepted,
            before=before,
            after=self._served.mappings(),
        )

    def _carry_on(
        self,
        operation: Operation,
        arguments: list[str],
        expected: Expected,
        *,
        leave: bool,
        since: int,
        runs: frozenset[Path],
    ) -> bool:
        """Start a change, and continue it until it has ended.

        Args:
            operation: takes note of what happens.
            arguments: of the command.
            expected: what it comes to, about.
            leave: whether to leave it as it is once its run was disturbed.
            since: how many updates were accepted before it.
            runs: that were there before it.

        Returns:
            Whether it was left as it is.
        """
        for nth in range(_MOST_PROCESSES):
            run = self._run_beside(runs)
            disturbance = Disturbance()
            if nth < _MOST_DISTURBED:
                disturbance = draw_disturbance(
                    self._round.dice(f"{len(self.operations)}/{nth}"),
                    kill_share=_KILLS_OF_CHANGES if run is None else _KILLS_OF_CONTINUES,
                    left=len(expected.updates - self._served.accepted(since).keys()),
                    is_new=run is None,
                    workers="process" in self._round.place.how,
                )
            argv = [*arguments, *self._round.waves] if run is None else ["continue", str(run)]
            flags = [*self._round.place.how, *self._round.flags]
            ended = self._process(operation, [*argv, *flags], disturbance, runs=runs)
            if operation.findings or (not ended.disturbed and ended.code == 0):
                return False
            if leave and ended.disturbed and self._run_beside(runs) is not None:
                return True
        operation.findings = [Finding(Kind.CODE, f"not at its end after {_MOST_PROCESSES} processes")]
        return False

    def _process(
        self,
        operation: Operation,
        arguments: Sequence[str],
        disturbance: Disturbance,
        *,
        runs: frozenset[Path] = frozenset(),
    ) -> Ended:
        # Workers of other processes are started anew, and so must be what starts them.
        fork = self._fork and not disturbance.is_early and not self._round.place.how
        start = partial(forked if fork else spawned, arguments, home=self._home, environment=self._environment())
        ended = play(
            lambda stdout, stderr: start(stdout=stdout, stderr=stderr),
            folder=self._folder,
            disturbance=disturbance,
            accepted=self._served.accepted_count,
            published=lambda: self._run_beside(runs) is not None,
        )
        self._groups.append(ended.group)
        self._note(arguments, disturbance, ended)
        was_killed = ended.disturbed and disturbance.what in KILLS and ended.code == KILLED
        is_continue = arguments[0] == "continue"
        operation.processes += 1
        operation.kills += was_killed
        operation.continues += is_continue
        operation.continues_killed += was_killed and is_continue
        operation.workers_killed += ended.disturbed and disturbance.what is What.WORKER
        operation.signals += ended.disturbed and disturbance.what not in {*KILLS, What.WORKER}
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
        elif ended.disturbed and disturbance.what not in {*KILLS, What.WORKER}:
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
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
            **self._served.environment,
        }

    def _runs(self) -> frozenset[Path]:
        folder = self._home / "bulk-esm-runs"
        there = folder.iterdir() if folder.is_dir() else ()
        return frozenset(path for path in there if not path.name.startswith("."))

    def _run_beside(self, others: frozenset[Path]) -> Path | None:
        """The run that is there beside others."""
        return next(iter(self._runs() - others), None)

    def _lines(self, run: Path | None, name: str) -> list[dict[str, Any]]:
        """The lines of a file in all shards of a run; none of a run that was not made."""
        paths = () if run is None else sorted(run.rglob(name))
        return [msgspec.json.decode(line) for path in paths for line in path.read_bytes().splitlines()]
