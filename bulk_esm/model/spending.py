"""How the chance of a false halt is spent: a stated share for a whole run, over watches, waves, looks and commands.

A plain test at 5 % that is asked again each minute halts about every third run in which nothing is wrong. Here each
look has a part of the 5 %, such that all parts together are never more (Bonferroni's inequality, whatever depends on
what). Watches and waves have equal parts, as harm may come with any. Of a wave's part a fifth is for what was changed
before it: while its own minutes are waited for that is looked at on, and must not use up what is for them. The looks
have ever smaller parts, 6 / pi^2 k^2 for the k-th, whose sum over all k is 1, so that a run may look as often as it
takes; and so have the commands that go on with a run. Pure.
"""

from __future__ import annotations

import math
from typing import Final

RUN_ALPHA: Final = 0.05
_FOR_EARLIER: Final = 0.2


def part_of(nth: int) -> float:
    """The part of the n-th of any number of equals, from 1; over all n the parts are 1 together."""
    return 6 / (math.pi * nth) ** 2


def allowed(
    *, watches: int, waves: int, look: int, sees_all: bool = True, attempt: int = 1, alpha: float = RUN_ALPHA
) -> float:
    """How small a p-value must be at one look for harm to be found.

    Args:
        watches: how many watches compare.
        waves: how many waves there are; a bake is of the last.
        look: the how manieth look of its kind it is for this watch in this wave, from 1.
        sees_all: which kind: whether it sees the whole wave, or what was changed before.
        attempt: the how manieth command carries out the run, from 1.
        alpha: what may be spent in all.
    """
    part = 1 - _FOR_EARLIER if sees_all else _FOR_EARLIER
    return alpha / (watches * waves) * part * part_of(look) * part_of(attempt)
