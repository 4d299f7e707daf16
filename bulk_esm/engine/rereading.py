"""Reads again what was read too long ago to send to: there is no compare-and-set (F§6.4).

Whoever planned saw each mapping once, and a wave of thousands takes minutes. Every page of List shows mappings that
still wait for their update too, whoever asked for it: those are fresh again for nothing. What no page has shown for too
long is read by a sweep, a hundred for a request, or by a Get each where that is less. List lags, so it alone
contradicts only by a later stamp; of all else that it shows as changed, Get tells just before its turn comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import Final

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending, before_sending, gone
from bulk_esm.engine.inventory import get_all
from bulk_esm.errors import DeniedError
from bulk_esm.logs import get_logger
from bulk_esm.model.census import PAGE_SIZE
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.stamps import is_newer

log: Final = get_logger("engine")

FRESH_S: Final = 60.0
# Sweeps take at most one request in so many: among 3,600 mappings or more, readings may become older than that.
_REQUESTS_FOR_EACH_OF_A_SWEEP: Final = 20.0
_GETS_AHEAD: Final = 20


def longest_age_s(pages: int, max_per_second: float) -> float:
    """How old a reading may be when something is sent to what it showed, in seconds.

    Args:
        pages: what a List of all mappings takes.
        max_per_second: requests/s.
    """
    return max(FRESH_S, pages * _REQUESTS_FOR_EACH_OF_A_SWEEP / max_per_second)


class Rereading:
    """When each mapping that waits for its update was read last, and what was seen of it.

    Attributes:
        on_page: told each page that is read here, and when on the clock it was asked for.
    """

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        in_doubt: AbstractSet[str] = frozenset(),
        clock: Clock | None = None,
    ) -> None:
        """Begin with nothing that waits.

        Args:
            control_plane: where to look.
            in_doubt: to which an earlier part of this run may have sent, by UUID, so that what is done may be its own.
            clock: the time.
        """
        self._control_plane = control_plane
        self._in_doubt = in_doubt
        self.on_page: Callable[[Iterable[EventSourceMapping], float], None] = lambda _page, _asked_at: None
        self._clock = clock or Clock()
        self._waiting: dict[str, PlanItem] = {}
        self._read_at: dict[str, float] = {}
        self._endings: dict[str, Ending] = {}
        self._suspects: set[str] = set()
        self._may_list = True

    def expect(self, items: Iterable[PlanItem], *, read_at: float) -> None:
        """Take note of what waits for its update.

        Args:
            items: the items.
            read_at: when they were read, on the clock.
        """
        self._waiting = {item.uuid: item for item in items}
        self._read_at = dict.fromkeys(self._waiting, read_at)
        self._endings.clear()
        self._suspects.clear()

    def heed(self, page: Iterable[EventSourceMapping], asked_at: float) -> None:
        """Take note of a page of List.

        Args:
            page: what it shows.
            asked_at: when it was asked for, on the clock.
        """
        for seen in page:
            if (item := self._waiting.get(seen.uuid)) is None:
                continue
            before = item.before
            is_same = seen.configuration == before.configuration  # as most are, and that costs least to see
            if not is_same and is_newer(before.last_modified, than=seen.last_modified):
                continue  # List lags behind the plan, and tells nothing
            ending = None if is_same else self._ending(item, seen)
            if ending is None and seen.at_rest:
                # Where another page showed it otherwise, this may be a picture from before: Get tells.
                if item.uuid not in self._endings and item.uuid not in self._suspects:
                    self._note(item.uuid, None, asked_at)
            elif ending is not None and is_newer(seen.last_modified, than=before.last_modified):
                self._note(item.uuid, ending, asked_at)
            else:
                self._suspects.add(item.uuid)

    async def next(self, waiting: Sequence[PlanItem]) -> Ending | None:
        """Tell whether the next item is still to be sent, and look first where it was read too long ago.

        Args:
            waiting: what waits; the last of it is next.

        Returns:
            How it ends as somebody changed it, or did it, since it was planned; None to send it.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: an answer that retrying did not mend.
        """
        uuid = waiting[-1].uuid
        if self._is_due(uuid):
            if uuid not in self._suspects and self._may_list and len(waiting) > self._pages:
                await self._sweep()
            if self._is_due(uuid):
                await self._get([item.uuid for item in waiting[-_GETS_AHEAD:] if self._is_due(item.uuid)])
        self._suspects.discard(uuid)
        self._read_at.pop(uuid, None)
        self._waiting.pop(uuid, None)
        return self._endings.pop(uuid, None)

    async def again(self, item: PlanItem, *, in_doubt: bool = False) -> Ending | None:
        """Look with Get at an item that has had its turn, and was then kept from being sent for long; see `next`.

        Args:
            item: the item.
            in_doubt: whether an update of this run may have arrived meanwhile.
        """
        denied: dict[str, DeniedError] = {}
        told = await get_all(self._control_plane, [item.uuid], denied)
        if item.uuid in denied or item.uuid not in told:
            return None
        seen = told[item.uuid]
        in_doubt = in_doubt or item.uuid in self._in_doubt
        return gone() if seen is None else before_sending(item, seen, in_doubt=in_doubt)

    @property
    def _pages(self) -> int:
        return math.ceil(self._control_plane.census.total / PAGE_SIZE)

    def _is_due(self, uuid: str) -> bool:
        if uuid in self._endings:
            return False
        longest_s = longest_age_s(self._pages, self._control_plane.pacer.max_per_second)
        # What was asked about once, and has had to wait for something else since, is not asked about again.
        read_at = self._read_at.get(uuid, math.inf)
        return uuid in self._suspects or self._clock.monotonic() - read_at > longest_s

    async def _sweep(self) -> None:
        left = set(self._waiting)
        began_at = self._clock.monotonic()
        try:
            async with aclosing(self._control_plane.list()) as pages:
                asked_at = self._clock.monotonic()
                async for page in pages:
                    self.heed(page, asked_at)
                    self.on_page(page, asked_at)
                    left.difference_update(seen.uuid for seen in page)
                    if not left:
                        break
                    asked_at = self._clock.monotonic()
        except DeniedError:
            self._may_list = False  # whoever planned by Get alone looks by Get alone
        else:
            # However long it took, what it began with is not asked about anew before something is sent.
            now = self._clock.monotonic()
            for uuid in self._waiting.keys() - self._suspects:
                if self._read_at[uuid] >= began_at:
                    self._read_at[uuid] = now
                else:
                    self._suspects.add(uuid)  # no page has told of it

    async def _get(self, uuids: Sequence[str]) -> None:
        denied: dict[str, DeniedError] = {}
        told = await get_all(self._control_plane, uuids, denied)
        if denied:
            log.info("not_reread", count=len(denied))  # List has not contradicted for sure
        now = self._clock.monotonic()
        for uuid, seen in told.items():
            item = self._waiting[uuid]
            ending = gone() if seen is None else self._ending(item, seen)
            self._note(uuid, None if uuid in denied else ending, now)

    def _ending(self, item: PlanItem, seen: EventSourceMapping) -> Ending | None:
        return before_sending(item, seen, in_doubt=item.uuid in self._in_doubt)

    def _note(self, uuid: str, ending: Ending | None, read_at: float) -> None:
        self._suspects.discard(uuid)
        self._read_at[uuid] = max(read_at, self._read_at[uuid])
        self._endings.pop(uuid, None)
        if ending is not None:
            self._endings[uuid] = ending
