"""What the benchmarks write down: JSON-lines with their circumstances, Markdown tables, and a part of a page."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(os.environ.get("BENCH_RESULTS") or Path(__file__).parent / "results")
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_PACKAGES = ("bulk_esm", "aiobotocore", "aiohttp", "anyio", "boto3", "botocore", "awscli")


def circumstances() -> dict[str, Any]:
    """When, where and with what a benchmark ran."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "argv": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def append(name: str, record: dict[str, Any]) -> None:
    """Append a record to `NAME.jsonl` among the results, with the circumstances."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({**record, **circumstances()}) + "\n")


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def into_page(marker: str, text: str) -> None:
    """Replace what stands in docs/benchmarks.md between `<!-- MARKER -->` and `<!-- /MARKER -->`."""
    opening, closing = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    page = PAGE.read_text()
    if page.count(opening) != 1 or page.count(closing) != 1:
        print(f"docs/benchmarks.md has no {opening} and {closing}, once each: the table stays out of it")
        return
    before, _, rest = page.partition(opening)
    _, _, after = rest.partition(closing)
    PAGE.write_text(f"{before}{opening}\n\n{text}\n\n{closing}{after}")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else "-" if value is None else str(value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
