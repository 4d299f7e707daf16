"""Copies runs to a folder, from S3 or from another folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bulk_esm.cli.streams import say
from bulk_esm.errors import RunFolderError
from bulk_esm.store.asked import ASKED
from bulk_esm.store.run_files import RunFiles


def copy_runs(runs: Iterable[RunFiles], folder: Path) -> None:
    """Copy runs, each under its id; one that is there already is left as it is.

    Args:
        runs: the runs.
        folder: where to; made if it is not there.

    Raises:
        RunFolderError: a run cannot be read, or the folder cannot be written.
    """
    copied = 0
    for run in runs:
        there = folder / run.path.name
        if there.exists():
            say(f"{there} is there already, and is left as it is")
            continue
        unfinished = folder / f".{run.path.name}.copying"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.rmtree(unfinished, ignore_errors=True)
            # What was asked of it is in its log, and whatever lies beside that is no part of it.
            shutil.copytree(run.fetched().path, unfinished, ignore=shutil.ignore_patterns(ASKED))
            unfinished.chmod(0o700)  # configurations name queues, functions and secrets
            unfinished.rename(there)
        except (OSError, shutil.Error) as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise RunFolderError(f"{there} cannot be written: {error}") from error
        copied += 1
    say(f"copied {copied:,} runs to {folder}")
