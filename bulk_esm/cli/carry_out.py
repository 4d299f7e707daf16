"""The one way in which apply, pause and resume go: plan, show, ask, carry out, sum up."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Final

import anyio
import msgspec
from rich.console import Console

from bulk_esm.api import BulkEsm, connect
from bulk_esm.aws.pacing import PacerStatistics
from bulk_esm.cli.options import AwsOptions, OutputOptions, RunOptions, RunsOptions
from bulk_esm.cli.output import Results, form_for
from bulk_esm.cli.progress import progress
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import PLAN_COLUMNS, RESULT_COLUMNS, plan_row, plan_summary, result_row, run_summary
from bulk_esm.engine.engine import EngineStatistics
from bulk_esm.engine.run import Run
from bulk_esm.errors import BulkEsmError, RefusedError, RunFolderError
from bulk_esm.logs import log_to_stderr
from bulk_esm.model.plan import Action, Plan
from bulk_esm.model.result import TROUBLE, Outcome, Result
from bulk_esm.runs.record import RunRecord, RunStatus

QUOTA_PER_SECOND: Final = 15
_INTERRUPTED: Final = 130
_GRACE_S: Final = 30.0
_LAST_LOOKS: Final = 3  # at what was accepted, within that time


class Planned(msgspec.Struct, frozen=True):
    """A plan, and the mappings that someone changed since it was saved."""

    plan: Plan
    changed_since: frozenset[str] = frozenset()


def set_up_logs(options: OutputOptions) -> None:
    """Show the log on stderr as the flags say."""
    log_to_stderr(options.log_level, as_json=options.log_format == "json")


def with_aws(options: AwsOptions, work: Callable[[BulkEsm], Awaitable[int]]) -> int:
    """Do something with a connection, and warn of a rate that no account has.

    Args:
        options: how to reach AWS.
        work: what to do; it returns the exit code.

    Raises:
        BulkEsmError: whatever ends the command.
    """

    async def main() -> int:
        async with connect(
            region=options.region,
            profile=options.profile,
            endpoint_url=options.endpoint_url,
            max_per_second=options.rate,
            concurrency=options.concurrency,
            timeout_s=options.timeout,
        ) as bulk:
            if options.rate > QUOTA_PER_SECOND and bulk.control_plane.is_aws:
                say(f"warning: --rate {options.rate:g} is above the {QUOTA_PER_SECOND} requests/s that Lambda gives")
            return await work(bulk)

    return anyio.run(main)


def refuse_before_sending(options: RunOptions, runs: RunsOptions, *, stdin_is_data: bool = False) -> None:
    """Refuse, before anything is sent, what nobody could be asked about or what could not be recorded.

    Args:
        options: whether to ask, and to do it at all.
        runs: where runs are kept.
        stdin_is_data: whether stdin is read as a file, so that nobody can answer there.

    Raises:
        RefusedError: there is no terminal to ask at and no `--yes`.
        RunFolderError: no run folder can be made there.
    """
    if options.dry_run:
        return
    if not options.yes and (stdin_is_data or not sys.stdin.isatty()):
        raise RefusedError("there is no terminal to ask at: say --yes, or look first with --dry-run")
    there = runs.runs_dir.absolute()
    while not os.path.lexists(there):
        there = there.parent  # it will be made, but not before it is needed
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "permission denied" if there.is_dir() else f"{there} is not a folder"
        raise RunFolderError(
            f"no run can be kept in {runs.runs_dir}: {why}; choose another place with --runs-dir or BULK_ESM_RUNS_DIR"
        )


def show_plan(plan: Plan, output: OutputOptions, *, max_per_second: float) -> None:
    """Show a plan: its lines on stdout, its summary on stderr."""
    results = Results(form_for(output.output), PLAN_COLUMNS, plan_row)
    results.add_all(plan.items)
    results.finish()
    for line in plan_summary(plan, max_per_second=max_per_second):
        say(line, quiet=output.quiet)


async def carry_out(
    bulk: BulkEsm,
    planned: Planned,
    *,
    command: str,
    run_options: RunOptions,
    runs: RunsOptions,
    output: OutputOptions,
) -> int:
    """Show a plan, ask, carry it out and sum up.

    Args:
        bulk: the account and Region.
        planned: what to do.
        command: such as `pause`.
        run_options: whether to ask, to skip, to do it at all.
        runs: where runs are kept.
        output: what to show.

    Returns:
        The exit code.

    Raises:
        RefusedError: mappings are blocked.
        BulkEsmError: whatever ends the run.
    """
    plan = planned.plan
    max_per_second = bulk.control_plane.pacer.max_per_second
    if planned.changed_since:
        say(f"{len(planned.changed_since):,} were changed since the plan was saved: each is left alone, as a conflict")
    if run_options.dry_run:
        show_plan(plan, output, max_per_second=max_per_second)
        return 0
    for line in plan_summary(plan, max_per_second=max_per_second):
        say(line, quiet=output.quiet)
    blocked = plan.count(Action.BLOCKED)
    if blocked and not run_options.skip_blocked:
        raise RefusedError(
            f"{blocked:,} of {len(plan.items):,} mappings are blocked, so nothing was sent; "
            "narrow the selection, or carry out the rest with --skip-blocked"
        )
    if plan.updates and not run_options.yes and not await _consents(bulk, plan):
        say("nothing was changed")
        return 0
    run = bulk.prepare(
        plan,
        runs_dir=runs.runs_dir,
        command=command,
        argv=tuple(sys.argv[1:]),
        skip_blocked=run_options.skip_blocked,
        changed_since=planned.changed_since,
    )
    results = Results(form_for(output.output), RESULT_COLUMNS, result_row)
    # Thousands of good lines would push what matters off a terminal; whoever asks for the table gets all of it.
    shows_all = output.output is not None or form_for(None) != "table"

    def on_result(result: Result) -> None:
        if shows_all or result.outcome not in {Outcome.UPDATED, Outcome.UNCHANGED}:
            results.add(result)

    def finish() -> None:
        try:
            results.finish()
        except BulkEsmError as error:  # the exit code is about the mappings
            say(f"warning: {error}; they are in {run.folder.path}")

    return exit_code(await run_to_the_end(bulk, run, on_result, at_the_end=finish, quiet=output.quiet))


async def _consents(bulk: BulkEsm, plan: Plan) -> bool:
    where = f"account {plan.account_id}, {bulk.region}"
    if not bulk.control_plane.is_aws:
        where += f", at {bulk.control_plane.endpoint_url}"
    sys.stderr.write(f"Update {len(plan.updates):,} mappings in {where}? [y/N] ")
    sys.stderr.flush()
    await anyio.wait_readable(sys.stdin)  # a thread that reads would outlive Ctrl-C, until Enter is pressed
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}


async def run_to_the_end(
    bulk: BulkEsm,
    run: Run,
    on_result: Callable[[Result], None],
    *,
    at_the_end: Callable[[], None] = lambda: None,
    quiet: bool = False,
) -> RunRecord:
    """Carry out a run that is ready to start, with its progress, its summary, and an ear for signals.

    Args:
        bulk: the account and Region.
        run: the run.
        on_result: called with each result.
        at_the_end: called when there are no more, before the summary.
        quiet: whether to show neither progress nor summary.

    Returns:
        The record, as it stands at the end.

    Raises:
        BulkEsmError: whatever ended the run; its summary has been shown.
    """

    def statistics() -> tuple[EngineStatistics, PacerStatistics]:
        return run.statistics(), bulk.control_plane.pacer.statistics()

    display = (
        nullcontext()
        if quiet
        else progress(
            statistics,
            title=f"{run.record.command} {run.record.run_id}",
            clock=time.monotonic,
            console=Console(stderr=True, highlight=False),
        )
    )
    failure: BulkEsmError | None = None
    # What is there now stays to the end: to search it for garbage again and again would stop the sending meanwhile.
    gc.collect()
    gc.freeze()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, run, tasks.cancel_scope)
        async with display:
            try:
                await run.carry_out(on_result)
            except BulkEsmError as error:  # carried past the task groups, which would wrap it
                failure = error
        tasks.cancel_scope.cancel()
    at_the_end()
    if not quiet:
        for line in run_summary(run.record, run.folder.results()):
            say(line)
        say(f"  folder: {run.folder.path}")
    if failure is not None:
        raise failure
    return run.record


async def _stop_on_signal(run: Run, scope: anyio.CancelScope) -> None:
    """The first signal stops sending and waits for what is in flight; a second one, or a long wait, ends it."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            break
        run.stop()
        say(f"\nstopping: nothing more is sent; waiting up to {_GRACE_S:g} s for what was. Again to leave at once")
        for _ in range(_LAST_LOOKS):
            with anyio.move_on_after(_GRACE_S / _LAST_LOOKS):
                async for _signal in signals:
                    scope.cancel()
                    return
            run.stop()  # looks once more at all that was accepted
        scope.cancel()


def exit_code(record: RunRecord) -> int:
    """The exit code of a run; see the README."""
    if record.status is RunStatus.INTERRUPTED:
        return _INTERRUPTED
    return 1 if any(record.counts.get(outcome) for outcome in TROUBLE) else 0
