"""The mappings of one account and Region: found by UUID, iterated as they were made, and listed by nothing visible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bulk_esm.simulator.draws import draw
from bulk_esm.simulator.errors import not_found
from bulk_esm.simulator.mapping import Mapping
from bulk_esm.simulator.reading import completed
from bulk_esm.simulator.timeline import Configuration, Timeline


class Registry:
    """The mappings, also those that are gone.

    Args:
        seed: of the order in which they are listed.
        kept_s: for how long their outdated looks can still be asked for, in virtual seconds.
    """

    def __init__(self, *, seed: int, kept_s: float) -> None:
        self._seed = seed
        self._kept_s = kept_s
        self._by_uuid: dict[str, Mapping] = {}
        self._listed: list[Mapping] = []

    def __contains__(self, uuid: str) -> bool:
        return uuid in self._by_uuid

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._by_uuid.values())

    @property
    def listed(self) -> Sequence[Mapping]:
        """In the order of a listing, which is by nothing visible (F§0.2); each is for ever at its place."""
        return self._listed

    def add(self, configurations: Iterable[Configuration], *, visible_from: float) -> list[Mapping]:
        """Add mappings, completed by what Lambda always shows.

        Args:
            configurations: theirs; they are not changed.
            visible_from: since when they are there, in virtual seconds.

        Raises:
            ValueError: a UUID is taken.
        """
        added = []
        for given in configurations:
            configuration = completed(given)
            mapping = Mapping(configuration, Timeline(configuration, visible_from=visible_from, kept_s=self._kept_s))
            if mapping.uuid in self._by_uuid:
                raise ValueError(f"two mappings have the UUID {mapping.uuid}: give each its own")
            self._by_uuid[mapping.uuid] = mapping
            added.append(mapping)
        # Guess: what was there when a listing began keeps its place in it, and what is new comes last; nothing is known
        # of listings while mappings come and go (F§2).
        self._listed += sorted(added, key=lambda mapping: draw(self._seed, "place", mapping.uuid))
        return added

    def existing(self, uuid: str, now: float) -> tuple[Mapping, Configuration]:
        """A mapping, and what it is now.

        Raises:
            ApiError: there is none.
        """
        mapping = self._by_uuid.get(uuid)
        configuration = mapping.timeline.at(now) if mapping else None
        if mapping is None or configuration is None:
            raise not_found()
        return mapping, configuration
