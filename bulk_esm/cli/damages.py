"""What was passed over of damaged files, with `--salvage`, as the user is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulk_esm.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulk_esm.store.run_files import RunFiles


def tell_of_damages(runs: Sequence[RunFiles]) -> None:
    """Say what was passed over of some runs, as far as they were read."""
    for files in runs:
        for damage in files.damages:
            tell_of_damage(damage)


def tell_of_damage(damage: str) -> None:
    """Say what was passed over of a file."""
    from bulk_esm.cli.places import as_shown

    say(f"damaged: {as_shown(damage)}")
