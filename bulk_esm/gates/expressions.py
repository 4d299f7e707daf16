"""Reads the metric-math expressions that `--watch FILE.json` names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.model.watching import Watch, check_expression


def read_expressions(watches: Sequence[Watch]) -> dict[str, list[dict[str, Any]]]:
    """Read the files of watches.

    Args:
        watches: all of them.

    Returns:
        MetricDataQueries by the file's name.

    Raises:
        UsageError: a file cannot be read, or has none that make sense.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for watch in watches:
        if watch.file is None:
            continue
        try:
            found[watch.file] = check_expression(msgspec.json.decode(Path(watch.file).read_bytes()))
        except OSError as error:
            raise UsageError(f"--watch {watch.text}: {watch.file} cannot be read: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise UsageError(f"--watch {watch.text}: {watch.file} is no JSON: {error}") from error
        except UsageError as error:
            raise UsageError(f"--watch {watch.text}: {watch.file}: {error}") from error
    return found
