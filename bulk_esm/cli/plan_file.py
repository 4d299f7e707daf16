"""Shows a plan that was saved, as its file has it: no request is sent, and no credentials are needed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulk_esm.cli.damages import tell_of_damage
from bulk_esm.cli.output import Results, form_for, with_place
from bulk_esm.cli.shards_text import shards_text
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import PLAN_COLUMNS, Pace, lasting_lines, plan_row, plan_summary
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.mapping import FunctionReference
from bulk_esm.model.plan import Plan
from bulk_esm.model.plan_summary import PlanSummary
from bulk_esm.store.saved_plan import read_plan

if TYPE_CHECKING:
    from bulk_esm.cli.options import OutputOptions

_RATE: Final = Reach().max_per_second


def show_plan_file(path: Path, output: OutputOptions, *, salvage: bool) -> int:
    """Show each line of a saved plan, and what it comes to.

    Raises:
        RunFolderError: it cannot be read, or is not as it was saved.
    """
    plan = read_plan(path, salvage=salvage, told=tell_of_damage)
    show_saved(plan, output)
    say(f"saved: carry it out with bulk-esm apply --plan {path}", quiet=output.quiet)
    return 0


def show_saved(plan: Plan, output: OutputOptions) -> None:
    """Show each line of a plan, and what it comes to, without a look at what is there by now."""
    places = Counter(_place(item.function_arn) for item in plan.updates)
    several = len({_place(item.function_arn) for item in plan.items if item.function_arn}) > 1
    columns = with_place(PLAN_COLUMNS, plan_row) if several else (PLAN_COLUMNS, plan_row)
    results = Results(form_for(output.output), *columns)
    results.add_all(plan.items)
    results.finish()
    summary = PlanSummary()
    summary.add(plan.items)
    in_each = " in each shard" if several else ""
    pace = Pace(least_s=max(places.values(), default=0) / _RATE, rate=f"{_RATE:g} requests/s{in_each}")
    if several:
        say(f"in {shards_text(len(places))}", quiet=output.quiet)
    for line in (*plan_summary(summary, pace=pace), *lasting_lines(summary)):
        say(line, quiet=output.quiet)


def _place(function_arn: str | None) -> tuple[str | None, str | None]:
    reference = FunctionReference.parse(function_arn or "")
    return reference.account_id, reference.region
