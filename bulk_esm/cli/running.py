"""Carries out a run that is ready: its results, its gates, an ear for signals."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from rich.console import Console

from bulk_esm.cli.conduct import Conduct, Runnable
from bulk_esm.cli.options import OutputOptions
from bulk_esm.cli.output import form_for
from bulk_esm.cli.progress import Display
from bulk_esm.cli.streams import say
from bulk_esm.errors import BulkEsmError
from bulk_esm.gates.gates import AlarmGate, CommandGate, Gate, WaveEnd
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import Outcome, Result

_GRACE_S: Final = 30.0
_LAST_LOOKS: Final = 3  # at what was accepted, within that time
# Thousands of lines without news would push what matters off a terminal; whoever asks for the table gets all of it.
_ONLY_COUNTED: Final = frozenset({Outcome.UPDATED, Outcome.UNCHANGED, Outcome.NOT_STARTED})


async def run_and_report(conduct: Conduct, output: OutputOptions) -> int:
    """Carry out a run, with its results on stdout; put it back if it halts and was to be put back then.

    Args:
        conduct: the run.
        output: what to show.

    Returns:
        The exit code.

    Raises:
        BulkEsmError: whatever ended the run; its summary has been shown.
    """
    results = conduct.results(form_for(output.output))
    shows_all = output.output is not None or form_for(None) != "table"

    def on_result(result: Result) -> None:
        if shows_all or result.outcome not in _ONLY_COUNTED:
            results.add(result)

    def finish() -> None:
        try:
            results.finish()
        except BulkEsmError as error:  # the exit code is about the mappings
            say(f"warning: {error}; they are in {conduct.run.path}")

    record = await run_to_the_end(conduct, on_result, at_the_end=finish, quiet=output.quiet)
    if record.status is RunStatus.HALTED and record.rollout.on_halt == "rollback":
        await _put_back(conduct, output)
    return conduct.exit_code()


async def _put_back(halted: Conduct, output: OutputOptions) -> None:
    """Put back what a halted run changed, as a run of its own. That it halted stays the exit code."""
    say("\nputting back what it changed (--on-halt rollback)")
    path = halted.run.path
    try:
        record = await run_to_the_end(await halted.undo(), quiet=output.quiet)
        left = (
            sum(record.counts.values())
            - record.counts.get(Outcome.UPDATED, 0)
            - record.counts.get(Outcome.UNCHANGED, 0)
        )
        if left:
            say(f"{left:,} are not as they were: look why, then bulk-esm rollback {path} --skip-blocked")
    except BulkEsmError as error:
        say(f"bulk-esm: it could not all be put back: {error}; try again with bulk-esm rollback {path}")


async def run_to_the_end(
    conduct: Conduct,
    on_result: Callable[[Result], None] = lambda _: None,
    *,
    at_the_end: Callable[[], None] = lambda: None,
    quiet: bool = False,
) -> RunRecord:
    """Carry out a run that is ready to start, with its progress, its summary, and an ear for signals.

    Args:
        conduct: the run.
        on_result: called with each result.
        at_the_end: called when there are no more, before the summary.
        quiet: whether to show neither progress nor summary.

    Returns:
        The record, as it stands at the end.

    Raises:
        BulkEsmError: whatever ended the run; its summary has been shown.
    """
    run = conduct.run
    console = Console(stderr=True, highlight=False, quiet=quiet)
    failure: BulkEsmError | None = None
    # What is there now stays to the end: to search it for garbage again and again would stop the sending meanwhile.
    gc.collect()
    gc.freeze()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, run, tasks.cancel_scope)
        async with conduct.progress(console, f"{run.record.command} {run.record.run_id}") as display:
            confirm = _confirming(display) if run.record.rollout.confirm_waves else None
            try:
                await run.carry_out(on_result, gates=_gates(conduct), confirm=confirm)
            except BulkEsmError as error:  # carried past the task groups, which would wrap it
                failure = error
        tasks.cancel_scope.cancel()
    at_the_end()
    if not quiet:
        for line in conduct.summary():
            say(line)
    if failure is not None:
        raise failure
    return run.record


def _gates(conduct: Conduct) -> list[Gate]:
    record = conduct.run.record
    rollout = record.rollout
    gates: list[Gate] = [AlarmGate(rollout.alarms, conduct.home.alarms, say)] if rollout.alarms else []
    commands = (CommandGate(command, run_id=record.run_id, folder=conduct.run.path) for command in rollout.gates)
    return [*gates, *commands]


def _confirming(display: Display) -> Callable[[WaveEnd], Awaitable[bool]]:
    async def confirm(end: WaveEnd) -> bool:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in end.outcomes.items())
        with display.hidden():
            say(f"wave {end.wave} of {end.waves} is done: {counts}")
            return await ask(f"Go on with wave {end.wave + 1}, {end.next_updates:,} updates?")

    return confirm


async def ask(question: str) -> bool:
    """Ask on the terminal; anything but yes is no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    await anyio.wait_readable(sys.stdin)  # a thread that reads would outlive Ctrl-C, until Enter is pressed
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}


async def _stop_on_signal(run: Runnable, scope: anyio.CancelScope) -> None:
    """The first signal stops sending and waits for what is in flight; a second one, or a long wait, ends it."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            break
        run.stop()
        say(f"\nstopping: nothing more is sent; waiting up to {_GRACE_S:g} s for what was. Again to leave at once")
        for _ in range(_LAST_LOOKS):
            with anyio.move_on_after(_GRACE_S / _LAST_LOOKS):
                async for _signal in signals:
                    say(f"left at once; to finish it: bulk-esm continue {run.path}")
                    scope.cancel()
                    return
            run.stop()  # looks once more at all that was accepted
        scope.cancel()
