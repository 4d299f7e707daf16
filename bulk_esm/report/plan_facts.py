"""Makes a report from a plan that was saved: pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from bulk_esm._version import __version__
from bulk_esm.clock import iso
from bulk_esm.model.plan import PlanItem
from bulk_esm.report.plan_tally import PlanLine, PlanTally
from bulk_esm.report.records import Report, Row
from bulk_esm.report.tally import MOST_ROWS
from bulk_esm.report.words import change_text, tail_of


def report_of_plan(title: str, items: Iterable[PlanItem], *, made_at: datetime) -> Report:
    """Make the report of a plan that was saved.

    Args:
        title: such as the file's name.
        items: its lines.
        made_at: the time of day.
    """
    tally, rows = PlanTally(), list[Row]()
    left_out: dict[str, int] = {}
    for item in items:
        line = msgspec.convert(msgspec.structs.asdict(item), PlanLine)
        tally.add(line)
        if len(rows) < MOST_ROWS:
            rows.append(row_of(line, _place_of(line), str(line.action)))
        else:
            left_out[line.action] = left_out.get(line.action, 0) + 1
    return Report(
        version=__version__,
        made_at=iso(made_at) or "",
        title=title,
        run=None,
        planned=tally.planned,
        mappings=tuple(rows),
        left_out=left_out,
    )


def row_of(line: PlanLine, shard: str, outcome: str) -> Row:
    """A mapping of which only the plan tells.

    Args:
        line: of the plan.
        shard: its account and Region.
        outcome: what is shown for one.
    """
    return Row(
        uuid=line.uuid,
        function=tail_of(line.function_arn),
        source=tail_of(line.event_source_arn),
        source_type=line.source_type,
        shard=shard,
        outcome=outcome,
        state=line.state or "",
        change=change_text(line.diff),
        error="; ".join(line.problems),
    )


def _place_of(line: PlanLine) -> str:
    parts = (line.function_arn or "").split(":")
    return f"{parts[4]} {parts[3]}" if len(parts) > 4 else "-"  # noqa: PLR2004 - of an ARN
