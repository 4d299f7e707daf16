"""Makes the report of a run where a command has carried one out, and with what later runs did about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from bulk_esm.cli.run_text import run_argument
from bulk_esm.cli.streams import say
from bulk_esm.errors import RunFolderError
from bulk_esm.store.finding import readable_runs
from bulk_esm.store.place import RunsDir, RunsFolder, place_at

if TYPE_CHECKING:
    from bulk_esm.model.records import RunRecord
    from bulk_esm.report.records import Report
    from bulk_esm.store.run_files import RunFiles


def check_report(path: Path | None) -> None:
    """Refuse a file that no report could be written to, before anything is sent.

    Args:
        path: the file; None if none is wanted.

    Raises:
        UsageError: its name says no form, or there is no folder for it.
    """
    if path is None:
        return
    from bulk_esm.report.writing import check_folder, form_of

    form_of(path)
    check_folder(path)


def report_of_run(files: RunFiles, runs_dir: RunsDir) -> Report:
    """Make the report of a run.

    Args:
        files: the run's.
        runs_dir: where it is kept, and what later runs there did about it is told.

    Raises:
        RunFolderError: a file is missing or damaged.
    """
    from bulk_esm.report.facts import report_of

    return report_of(
        files,
        made_at=datetime.now(UTC),
        named=run_argument(files),
        followed_by=_followed_by(files, runs_dir),
    )


async def report_at_the_end(path: Path | None, files: RunFiles, runs_dir: RunsDir, *, quiet: bool = False) -> None:
    """Write the report of a run that has ended; where that fails a warning is all, as the run is what counts.

    Args:
        path: the file; None if none is wanted.
        files: the run's.
        runs_dir: where it is kept.
        quiet: whether nothing is said if all is well.
    """
    if path is None:
        return
    from bulk_esm.report.writing import form_of, write_report

    try:
        # A large run takes seconds, within which leases are renewed.
        report = await anyio.to_thread.run_sync(report_of_run, files, runs_dir)
        await anyio.to_thread.run_sync(write_report, report, path, form_of(path))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason for another exit code
        say(f"warning: the report could not be written: {error}")
    else:
        say(f"report: {path}", quiet=quiet)


def _followed_by(files: RunFiles, runs_dir: RunsDir) -> list[RunRecord]:
    """The later runs that put it back or resumed it, the oldest first; none where those cannot be looked through."""
    record = files.record()
    place = place_at(runs_dir) if files.replica is not None else RunsFolder(files.path.absolute().parent)
    try:
        later = readable_runs(place, since=datetime.fromisoformat(record.started_at))
    except RunFolderError:
        return []
    return [other for _, other in later if record.run_id in other.undone]
