"""Carries out a run that is ready: its results, its gates, an ear for signals."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import anyio

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.asking import ask
from bulk_esm.cli.display import run_progress
from bulk_esm.cli.exit_codes import exit_code
from bulk_esm.cli.live import Display
from bulk_esm.cli.options import OutputOptions
from bulk_esm.cli.output import Results, form_for, with_place
from bulk_esm.cli.reporting import report_at_the_end
from bulk_esm.cli.run_text import run_argument, run_summary, unplanned_lines
from bulk_esm.cli.screen import Screen
from bulk_esm.cli.shards_text import shards_text
from bulk_esm.cli.signals import heard
from bulk_esm.cli.streams import pass_on, say
from bulk_esm.cli.summary import RESULT_COLUMNS, result_row
from bulk_esm.cli.telling import tell_summary
from bulk_esm.errors import BulkEsmError
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.gates.opening import GateContext, open_gates
from bulk_esm.logs import get_logger
from bulk_esm.model.control import ControlRequest
from bulk_esm.model.events import ControlHeard, MappingEnded, RunEvent
from bulk_esm.model.records import Intent, RunRecord, puts_itself_back
from bulk_esm.model.result import Outcome
from bulk_esm.observers.observer import Observer
from bulk_esm.runs.invoking import started_earlier
from bulk_esm.runs.run import Run

log: Final = get_logger("cli")

GRACE_S: Final = 25.0  # ECS and Kubernetes kill 30 s after they asked
_LAST_LOOKS: Final = 3  # at what was accepted, within that time
# Thousands of lines without news would push what matters off a terminal; whoever asks for the table gets all of it.
_ONLY_COUNTED: Final = frozenset({Outcome.UPDATED, Outcome.UNCHANGED, Outcome.NOT_STARTED})


class _Shown:
    """Shows results on stdout as they come: an observer."""

    def __init__(self, output: OutputOptions, *, with_places: bool) -> None:
        form = form_for(output.output)
        columns = with_place(RESULT_COLUMNS, result_row) if with_places else (RESULT_COLUMNS, result_row)
        self._results = Results(form, *columns)
        self._shows_all = output.output is not None or form != "table"

    def __call__(self, event: RunEvent, /) -> None:
        if isinstance(event, MappingEnded) and (self._shows_all or event.result.outcome not in _ONLY_COUNTED):
            self._results.add(event.result)

    def finish(self, path: Path) -> None:
        try:
            self._results.finish()
        except BulkEsmError as error:  # the exit code is about the mappings
            say(f"warning: {error}; they are in {path}")


async def run_and_report(
    bulk: BulkEsm, run: Run, output: OutputOptions, *, grace_s: float = GRACE_S, report: Path | None = None
) -> int:
    """Carry out a run, with its results on stdout; put it back if it halts and was to be put back then.

    Args:
        bulk: the shards.
        run: ready to start.
        output: what is shown.
        grace_s: how long a signal waits for what was accepted, in seconds.
        report: the file to write a report to at the end, however it ended; or None.

    Returns:
        The exit code.

    Raises:
        BulkEsmError: whatever ended the run; its summary has been shown.
    """
    shown = _Shown(output, with_places=run.files.has_shards)
    try:
        record = await run_to_the_end(
            bulk,
            run,
            observers=[shown],
            at_the_end=lambda: shown.finish(run.path),
            quiet=output.quiet,
            grace_s=grace_s,
        )
        if puts_itself_back(record):
            await _put_back(bulk, run, grace_s)
    finally:
        await report_at_the_end(report if run.has_begun else None, run.files, bulk.runs_dir, quiet=output.quiet)
    return exit_code(run.record, [progress.problem for progress in run.progress])


async def _put_back(bulk: BulkEsm, halted: Run, grace_s: float) -> None:
    """Put back what a halted run changed, as a run of its own. That it halted stays the exit code."""
    alone = halted.halted_shards
    where = f" in {shards_text(len(alone))}" if alone else ""
    why = halted.record.reason if halted.record.puts_back else "--on-halt rollback"
    say(f"\nputting back what it changed{where} ({why})")
    path = run_argument(halted.files)
    try:
        plan = await bulk.plan_rollback(halted.files, shards=alone)
        intent = Intent(command="rollback", undoes=halted.record.run_id)
        run = bulk.of_run(halted.files).prepare(plan, intent=intent, skip_blocked=True)
        record = await run_to_the_end(bulk, run, grace_s=grace_s)
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
    bulk: BulkEsm,
    run: Run,
    *,
    observers: Sequence[Observer] = (),
    at_the_end: Callable[[], None] = lambda: None,
    quiet: bool = False,
    grace_s: float = GRACE_S,
) -> RunRecord:
    """Carry out a run that is ready to start, with its progress, its summary, and an ear for signals.

    Returns:
        The record, as it stands at the end.

    Raises:
        BulkEsmError: whatever ended the run; its summary has been shown.
    """
    console = Screen(stderr=True, quiet=quiet)
    # What is there now stays to the end: to search it for garbage again and again would stop the sending meanwhile.
    gc.collect()
    gc.freeze()
    signals, loop = asyncio.Queue[int](), asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        loop.call_soon_threadsafe(signals.put_nowait, number)

    with heard(on_signal):  # to the last word of its record, which a third signal does not stop
        failure = await _carried_out(bulk, run, observers, console, signals, grace_s)
        at_the_end()
    if not quiet and run.has_begun:
        summary = run_summary(run.record, run.files, has_just_ended=True)
        tell_summary(run.record, [*summary, *unplanned_lines(run.record, run.unplanned)])
    if (on_disk := run.on_disk()) is not None:
        say(f"  {on_disk}")
    if failure is not None:
        raise failure
    return run.record


async def _carried_out(
    bulk: BulkEsm,
    run: Run,
    observers: Sequence[Observer],
    console: Screen,
    signals: asyncio.Queue[int],
    grace_s: float,
) -> BulkEsmError | None:
    """Carry it out, and hand over what ended it: carried past the task groups, which would wrap it."""
    failure: BulkEsmError | None = None
    record = run.record
    metric_gate, watched = bulk.watching(run, tell=say) if record.rollout.watch else (None, None)
    observers = [*observers, *filter(None, [watched])]
    context = GateContext(
        run_id=record.run_id,
        folder=run.path,
        read_alarms=bulk.alarms,
        read_shard_alarms=lambda names: bulk.shard_alarms(names, run.shards_at_work),
        halt_shard=run.halt_shard,
        read_calendars=bulk.calendars,
        tell=say,
        pass_on=pass_on,
        also_old_names=started_earlier(record),
        metric_gate=metric_gate,
    )
    async with anyio.create_task_group() as tasks:
        display = Display()
        tasks.start_soon(_stop_on_signal, run, tasks.cancel_scope, signals, grace_s, display)
        async with run_progress(run, clock=time.monotonic, console=console, display=display):
            confirm = _confirming(display) if record.rollout.confirm_waves else None
            try:
                await run.carry_out(
                    [display, _tell_of_requests, *observers], gates=open_gates(record.rollout, context), confirm=confirm
                )
            except BulkEsmError as error:
                failure = error
        tasks.cancel_scope.cancel()
    return failure


def _tell_of_requests(event: RunEvent, /) -> None:
    """Say what somebody asked of the run: an observer."""
    if isinstance(event, ControlHeard):
        say(_asked_text(event.request))


def _asked_text(request: ControlRequest) -> str:
    texts = {
        "hold": f"held by {request.who}: nothing more is sent until bulk-esm go; what was accepted is waited for",
        "go": f"{request.who} lets it go on",
        "stop": f"stopped by {request.who}: nothing more is sent; what was accepted is waited for",
        "approve": f"{request.who} approved wave {request.wave}",
    }
    return texts[request.action]


def _confirming(display: Display) -> Callable[[WaveEnd], Awaitable[bool]]:
    async def confirm(end: WaveEnd) -> bool:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in end.outcomes.items())
        with display.hidden():
            say(f"wave {end.wave} of {end.waves} is done: {counts}")
            return await ask(f"Go on with wave {end.wave + 1}, {end.next_updates:,} updates?")

    return confirm


async def _stop_on_signal(
    run: Run, scope: anyio.CancelScope, signals: asyncio.Queue[int], grace_s: float, display: Display
) -> None:
    """The first signal stops sending and waits for what is in flight; a second one, or a long wait, ends it."""
    log.info("signal", name=signal.Signals(await signals.get()).name, grace_s=grace_s)
    run.stop()
    display.stops_at = time.monotonic() + grace_s
    with display.hidden():  # and the ^C that the terminal shows
        say(f"\nstopping: nothing more is sent; waiting up to {grace_s:g} s for what was. Again to leave at once")
    for _ in range(_LAST_LOOKS):
        with anyio.move_on_after(grace_s / _LAST_LOOKS):
            log.info("signal", name=signal.Signals(await signals.get()).name)
            with display.hidden():
                say(f"left at once; to finish it: bulk-esm continue {run_argument(run.files)}")
            break
        run.stop()  # looks once more at all that was accepted
    scope.cancel()
