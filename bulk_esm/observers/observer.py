"""Who is told of a run: each is a callable, and none can slow it down for long or change how it ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from bulk_esm.logs import get_logger
from bulk_esm.model.events import RunEvent

log: Final = get_logger("observers")


class Observer(Protocol):
    """Somebody who is told of a run: after a result is on disk, in the run's own event loop."""

    def __call__(self, event: RunEvent, /) -> None:
        """Take note."""


class Observers:
    """All of them. One that fails is warned of once, and told nothing more."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        """Begin.

        Args:
            observers: in the order in which they are told.
        """
        self._observers = list(observers)

    def __call__(self, event: RunEvent, /) -> None:
        """Tell all of them."""
        for observer in list(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason to end a run
                self._observers.remove(observer)
                log.warning("observer_failed", observer=repr(observer), error=f"{type(error).__name__}: {error}")
