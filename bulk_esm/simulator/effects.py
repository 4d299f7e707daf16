"""What an accepted update leads to: what the 202 shows, what comes to rest, and when (F§0.2, F§3.2)."""

from __future__ import annotations

from typing import Any

import msgspec

from bulk_esm.model.mapping import SourceType
from bulk_esm.simulator.merging import HIDES_VALUES_UNTIL_SETTLED
from bulk_esm.simulator.settle import passing_of, rest_of
from bulk_esm.simulator.timeline import Configuration, Version


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a mapping.

    Attributes:
        answered: the body of the 202, with the exact moment of the call.
        resting: the mapping at rest.
        settles_at: when it comes to rest, in virtual seconds; None if it never will.
    """

    answered: Configuration
    resting: Configuration
    settles_at: float | None

    def versions(self, now: float) -> list[Version]:
        """What Get shows from now on."""
        versions = [] if self.settles_at == now else [Version(now, self.answered)]
        if self.settles_at is not None:
            versions.append(Version(self.settles_at, self.resting))
        return versions


def effect_of(
    *,
    source_type: SourceType,
    request: dict[str, Any],
    before: Configuration,
    after: Configuration,
    stamp: float,
    now: float,
    takes_s: float | None,
    scale: float,
) -> Effect:
    """Tell what an update leads to.

    Args:
        source_type: the mapping's.
        request: what was accepted.
        before: the mapping at rest.
        after: with the request's values.
        stamp: the call's LastModified. It does not move when the state settles (F§0.2).
        now: virtual seconds.
        takes_s: how long until rest, 0 for rest in the 202 already; None for ever.
        scale: multiplies that.
    """
    rest = rest_of(request, before["State"])
    resting = {**after, "State": str(rest), "LastModified": stamp}
    answered = resting
    if takes_s != 0:
        shown = before if source_type in HIDES_VALUES_UNTIL_SETTLED else after
        answered = {**shown, "State": str(passing_of(before["State"], rest)), "LastModified": stamp}
    return Effect(answered=answered, resting=resting, settles_at=None if takes_s is None else now + takes_s * scale)
