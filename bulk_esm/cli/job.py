"""What a command was asked to do beside its selection and change: parsed, and refused where it makes no sense."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from bulk_esm.cli.asking import can_ask
from bulk_esm.cli.hours import Hours
from bulk_esm.cli.options import GuardOptions, OutputOptions, RunOptions, RunsOptions, WaveOptions
from bulk_esm.cli.reporting import check_report
from bulk_esm.errors import RefusedError, RunFolderError, UsageError
from bulk_esm.model.amounts import Amount
from bulk_esm.model.budget import most_failures
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.waves import parse_waves

_ONLY_BETWEEN_WAVES: Final = "comes between waves, and there is one: say --waves 1,10%,100%"


@dataclass(frozen=True, kw_only=True)
class Job:
    """How a plan is to be carried out.

    Attributes:
        command: such as `pause`.
        run: whether to ask, to skip, to do it at all.
        waves: waves, budget and gates.
        guards: what must hold before anything is sent.
        runs: where runs are kept.
        output: what is shown.
        as_given: whether the plan's order decides who is in which wave.
        paused_s: how long what is paused will stay so, in seconds; 0 if that was not said.
        accept_data_loss: whether that may lose data.
        undoes: the run that this one puts back, or those whose mappings it resumes, with commas between.
        goes_in_groups: whether a fleet's accounts or Regions go one after another, each as a wave.
    """

    command: str
    run: RunOptions
    waves: WaveOptions = field(default_factory=WaveOptions)
    guards: GuardOptions = field(default_factory=GuardOptions)
    runs: RunsOptions = field(default_factory=RunsOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
    as_given: bool = False
    paused_s: float = 0.0
    accept_data_loss: bool = False
    undoes: str | None = None
    goes_in_groups: bool = False

    def check(self, *, stdin_is_data: bool = False) -> None:
        """Refuse, before anything is sent, what makes no sense, or nobody could be asked about, or be recorded.

        Raises:
            UsageError: a flag that makes no sense.
            RefusedError: there is no terminal to ask at and no `--yes`.
            RunFolderError: no run folder can be made there.
        """
        waves = self.waves
        sizes = parse_waves(waves.waves) if waves.waves is not None else ()
        _ = self.hours
        self.most_failures(updates=1)
        self.most_targets(seen=1)
        self.least_targets(seen=1)
        between = {"--soak": waves.soak, "--confirm-waves": waves.confirm_waves, "--approve-waves": waves.approve_waves}
        for flag, given in between.items():
            if given and len(sizes) <= 1 and not self.goes_in_groups:
                raise UsageError(f"{flag} {_ONLY_BETWEEN_WAVES}")
        if waves.confirm_waves and waves.approve_waves:
            raise UsageError(
                "--confirm-waves asks here, and --approve-waves waits for bulk-esm approve: give one of them"
            )
        if any(not gate.strip() for gate in waves.gate):
            raise UsageError("--gate is empty; give it a command, such as --gate './healthy.sh'")
        refuse_gates(waves.gate)
        refuse_watches(waves.watch)
        check_report(self.run.report)
        if self.as_given and waves.waves is None:
            raise UsageError("--order given says who comes first in which wave: it goes with --waves")
        refuse_no_account(self.guards)
        if self.run.dry_run:
            return
        refuse_without_terminal(self.run, stdin_is_data=stdin_is_data)
        if waves.confirm_waves:
            refuse_waves_without_terminal(stdin_is_data=stdin_is_data)
        refuse_without_folder(self.runs)

    @cached_property
    def hours(self) -> Hours:
        """When it may work.

        Raises:
            UsageError: see `Hours.read`.
        """
        return Hours.read(self.guards.deadline, self.guards.window, calendars=self.waves.calendar)

    def most_failures(self, *, updates: int) -> int | None:
        """How many mappings may fail, of so many updates.

        Raises:
            UsageError: it is no count or percentage.
        """
        text = self.waves.max_failures
        asked = None if text is None else Amount.parse(text, "--max-failures")
        return most_failures(asked, updates=updates, in_waves=self.waves.waves is not None)

    def most_targets(self, *, seen: int) -> int | None:
        """How many mappings may be updated, of so many that there are; None for any number.

        Raises:
            UsageError: it is no count or percentage.
        """
        text = self.guards.max_targets
        return None if text is None else Amount.parse(text, "--max-targets").of(seen)

    def least_targets(self, *, seen: int) -> int:
        """How many mappings must be updated at least, of so many that there are.

        Raises:
            UsageError: it is no count or percentage.
        """
        text = self.guards.min_targets
        return 0 if text is None else Amount.parse(text, "--min-targets").of(seen)

    def rollout(self, *, updates: int) -> RolloutSettings:
        """What `run.json` says of it, for so many updates."""
        waves = self.waves
        return RolloutSettings(
            waves=tuple(part.strip() for part in waves.waves.split(",")) if waves.waves is not None else (),
            as_given=self.as_given,
            soak_s=waves.soak,
            most_failures=self.most_failures(updates=updates),
            bake_s=waves.bake,
            alarms=waves.alarm,
            shard_alarms=waves.shard_alarm,
            shard_alarm_halts=waves.shard_alarm_halts,
            calendars=waves.calendar,
            gates=waves.gate,
            watch=waves.watch,
            gate_interval_s=waves.gate_interval,
            gate_timeout_s=waves.gate_timeout,
            inconclusive_for_s=waves.inconclusive_for,
            on_inconclusive=waves.on_inconclusive,
            confirm_waves=waves.confirm_waves,
            approve_waves=waves.approve_waves,
            on_halt=waves.on_halt,
            ramp_s=waves.ramp,
            paused_for_s=self.paused_s,
            window=self.guards.window,
        )


def refuse_gates(commands: Iterable[str]) -> None:
    """Refuse gates that could not be run here.

    Raises:
        UsageError: one is missing, or not executable, or the shell cannot read it.
    """
    from bulk_esm.gates.finding import problem_of

    for command in commands:
        if (problem := problem_of(command)) is not None:
            raise UsageError(f"--gate {command!r}: {problem}; nothing was sent")


def refuse_watches(texts: Iterable[str]) -> None:
    """Refuse what cannot be watched.

    Raises:
        UsageError: there is nothing of that name, a value that makes no sense, or a file that does not.
    """
    from bulk_esm.gates.expressions import read_expressions
    from bulk_esm.model.watching import Watch

    watches = [Watch.parse(text) for text in texts]
    if twice := next((watch.text for watch in watches if watches.count(watch) > 1), None):
        raise UsageError(f"--watch {twice} is there twice")
    read_expressions(watches)


def refuse_no_account(guards: GuardOptions) -> None:
    """Refuse an account id that is none.

    Raises:
        UsageError: it is none.
    """
    account = guards.expect_account
    if account is not None and not (account.isdecimal() and len(account) == 12):  # noqa: PLR2004 - an account id
        raise UsageError(f"--expect-account {account}: an account id has 12 digits")


def refuse_waves_without_terminal(*, stdin_is_data: bool = False) -> None:
    """Refuse waves that nobody could be asked about.

    Raises:
        RefusedError: there is no terminal to ask at.
    """
    if stdin_is_data or not can_ask():
        raise RefusedError(
            "--confirm-waves asks on a terminal, and there is none; use --approve-waves, --gate COMMAND or --alarm NAME"
        )


def refuse_without_terminal(run: RunOptions, *, stdin_is_data: bool = False) -> None:
    """Refuse what nobody could be asked about.

    Raises:
        RefusedError: there is no terminal to ask at and no `--yes`.
    """
    if not run.yes and (stdin_is_data or not can_ask()):
        raise RefusedError("there is no terminal to ask at: say --yes, or look first with --dry-run")


def refuse_without_folder(runs: RunsOptions) -> None:
    """Refuse what could not be recorded.

    Raises:
        RunFolderError: no run folder can be made there.
    """
    from bulk_esm.store.s3.location import parse_location

    if parse_location(runs.runs_dir) is not None:
        return  # it is written to before anything is sent
    try:
        there = Path(runs.runs_dir).absolute()
    except OSError as error:
        raise RunFolderError("the folder that this was started in is gone: change to another one") from error
    while not os.path.lexists(there):
        there = there.parent  # it will be made, but not before it is needed
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "permission denied" if there.is_dir() else f"{there} is not a folder"
        raise RunFolderError(
            f"no run can be kept in {runs.runs_dir}: {why}; choose another place with --runs-dir or BULK_ESM_RUNS_DIR"
        )
