"""What a mapping looks like at any time: in the past for a lagging List, now for Get, and in the future at rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

Configuration = dict[str, Any]


class Version(NamedTuple):
    """One look of a mapping. Configurations are never changed in place, so they can be handed out without a copy.

    Attributes:
        visible_from: virtual seconds.
        configuration: what Get returns from then on; None once the mapping is gone.
    """

    visible_from: float
    configuration: Configuration | None


class Timeline:
    """The versions of one mapping, oldest first. The last may lie in the future: the mapping at rest.

    Args:
        configuration: the first version.
        visible_from: since when, in virtual seconds; it was always there by default.
        kept_s: for how long an outdated version can still be asked for, in virtual seconds.
    """

    __slots__ = ("_kept_s", "_versions")

    def __init__(self, configuration: Configuration, *, visible_from: float = -math.inf, kept_s: float = 0.0) -> None:
        self._versions = [Version(visible_from, configuration)]
        self._kept_s = kept_s

    def at(self, moment: float) -> Configuration | None:
        """The configuration visible at a moment, in virtual seconds; None if there was or will be no mapping."""
        for visible_from, configuration in reversed(self._versions):
            if visible_from <= moment:
                return configuration
        return None

    def from_now_on(self, now: float) -> list[Configuration]:
        """What is visible now, and what will be; nothing of a mapping that is gone."""
        looks = [self.at(now), *(version.configuration for version in self.future(now))]
        return [look for look in looks if look is not None]

    def rewrite(self, now: float, change: Callable[[Configuration], Configuration]) -> None:
        """Change what is visible now, and what will be.

        Args:
            now: virtual seconds.
            change: makes a configuration of one; what is gone stays gone.
        """
        looks = [Version(now, self.at(now)), *self.future(now)]
        self.record(now, *(Version(since, look and change(look)) for since, look in looks))

    def record(self, now: float, *versions: Version) -> None:
        """Append versions, and forget those that nobody can ask for any more.

        Args:
            now: virtual seconds.
            versions: from now on, in order; they replace those that lay in the future.
        """
        past = [version for version in self._versions if version.visible_from <= now]
        oldest = now - self._kept_s
        needed = max((i for i, version in enumerate(past) if version.visible_from <= oldest), default=0)
        self._versions = [*past[needed:], *versions]

    def future(self, now: float) -> list[Version]:
        """The versions that are not visible yet."""
        return [version for version in self._versions if version.visible_from > now]
