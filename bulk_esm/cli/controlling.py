"""What the commands share that ask something of a run which another process carries out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bulk_esm.cli.streams import say

if TYPE_CHECKING:
    from bulk_esm.cli.options import OutputOptions, RunsOptions
    from bulk_esm.cli.output import Row
    from bulk_esm.model.control import ControlAction
    from bulk_esm.runs.controlling import ControlAnswer

_COLUMNS = ("run", "action", "answered", "sent", "settling", "of")


def control_run(
    name: str, action: ControlAction, *, rollback: bool = False, runs: RunsOptions, output: OutputOptions
) -> int:
    """Ask something of a run, and say what it answers; the exit code is 1 if it does not in time."""
    import anyio

    from bulk_esm.cli.opening import interruptible
    from bulk_esm.cli.output import Results, form_for
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.run_text import run_argument
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.runs.controlling import ask_run
    from bulk_esm.store.finding import find_run

    set_up_logs(output)
    place = place_for(runs)
    files = find_run(place, name)

    async def main() -> int:
        answer = await ask_run(
            files, action, rollback=rollback, record_now=lambda: find_run(place, files.named).record()
        )
        if output.output is not None or not sys.stdout.isatty():
            results = Results(form_for(output.output), _COLUMNS, _row)
            results.add(answer)
            results.finish()
        say(_text(answer, run_argument(files)), quiet=output.quiet and answer.status is not None)
        return 1 if answer.status is None else 0

    return anyio.run(interruptible, main)


def _row(answer: ControlAnswer) -> Row:
    status = answer.status
    if status is None:
        return (answer.run_id, answer.request.action, "no", "-", "-", "-")
    sent = status.done + status.under_way
    counts = (f"{sent:,}", f"{status.under_way:,}", f"{status.total:,}")
    return (answer.run_id, answer.request.action, "yes", *counts)


def _text(answer: ControlAnswer, run: str) -> str:
    request, status = answer.request, answer.status
    if status is None:
        return (
            f"{answer.run_id} has not answered yet. It looks every few seconds, and heeds this when it does: see "
            f"bulk-esm show {run}. On its own machine SIGTERM stops it too"
        )
    stands = f"{status.done + status.under_way:,} of {status.total:,} sent, {status.under_way:,} settling"
    if request.action == "hold":
        return f"held: {stands}; to go on: bulk-esm go {run}"
    if request.action == "approve":
        return f"wave {request.wave} is approved: {stands}"
    if request.action == "stop":
        then = "; then what it changed is put back" if request.rollback else ""
        return f"stopping: {stands}{then}; see bulk-esm show {run}"
    return f"goes on: {stands}"
