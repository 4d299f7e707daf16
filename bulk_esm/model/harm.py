"""What a person reads where a comparison has found harm. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bulk_esm.model.comparing import Comparison
from bulk_esm.model.spending import RUN_ALPHA
from bulk_esm.model.watching import Watch


def reason_of(
    watch: Watch, found: Comparison, *, sizes: tuple[int, int], left_out: Mapping[str, int], look: int, most: float
) -> str:
    """Why a run halts.

    Args:
        watch: what is watched.
        found: what the comparison found.
        sizes: how many were compared that are changed, and that are not.
        left_out: how many were not compared, by why.
        look: the how manieth look it was.
        most: how small p had to be.
    """
    changed, unchanged = sizes
    named = watch.measure.named(changed) if watch.measure else ""
    control = ""
    if found.control_after is not None and found.control_before is not None:
        control = (
            f", and {watch.shown(found.control_before)} and then {watch.shown(found.control_after)} of "
            f"{unchanged:,} not changed yet"
        )
    without = ", ".join(f"{count:,} {why}" for why, count in left_out.items() if count)
    return (
        f"--watch {watch.text}: {watch.shown(found.before)} before the run and {watch.shown(found.after)} now of "
        f"{changed:,} changed {named}{control} (medians of {found.points_before} and {found.points_after} minutes); "
        f"p = {found.p:.1e} where {most:.1e} may be spent at look {look}, of {RUN_ALPHA:g} in all"
        + (f"; left out: {without}" if without else "")
    )
