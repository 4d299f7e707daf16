"""Looks once more, before a wave, at what was planned a while ago: there is no compare-and-set (F§6.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.engine.endings import Ending, before_sending, gone
from bulk_esm.engine.inventory import get_all
from bulk_esm.errors import DeniedError
from bulk_esm.logs import get_logger
from bulk_esm.model.census import PAGE_SIZE
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.stamps import is_newer

log: Final = get_logger("engine")


async def reread(control_plane: ControlPlane, updates: Mapping[str, PlanItem], *, in_doubt: bool) -> dict[str, Ending]:
    """Tell how those items end that someone changed, or did, since they were planned; by UUID.

    It takes one sweep, or a Get each where that is less. List lags, so it alone contradicts only by a later stamp.

    Args:
        control_plane: where to look.
        updates: what is to be sent, by UUID.
        in_doubt: whether an earlier part of this run may have sent some of it.

    Raises:
        AccessError: the credentials are refused.
        ServiceError: an answer that retrying did not mend.
    """
    pages = math.ceil(control_plane.census.total / PAGE_SIZE)
    if len(updates) <= pages:
        return await _by_get(control_plane, updates, in_doubt=in_doubt)
    endings: dict[str, Ending] = {}
    unsure: dict[str, PlanItem] = {}
    for uuid, seen in (await _swept(control_plane, updates)).items():
        item = updates[uuid]
        ending = before_sending(item, seen, in_doubt=in_doubt)
        if ending is not None and not is_newer(seen.last_modified, than=item.last_modified):
            unsure[uuid] = item
        elif ending is not None:
            endings[uuid] = ending
    return endings | await _by_get(control_plane, unsure, in_doubt=in_doubt)


async def _swept(control_plane: ControlPlane, updates: Mapping[str, PlanItem]) -> dict[str, EventSourceMapping]:
    found: dict[str, EventSourceMapping] = {}
    async with aclosing(control_plane.list()) as pages:
        async for page in pages:
            found |= {seen.uuid: seen for seen in page if seen.uuid in updates}
            if len(found) == len(updates):
                break
    return found


async def _by_get(control_plane: ControlPlane, updates: Mapping[str, PlanItem], *, in_doubt: bool) -> dict[str, Ending]:
    denied: dict[str, DeniedError] = {}
    now = await get_all(control_plane, sorted(updates), denied)
    if denied:
        log.info("not_reread", count=len(denied))  # List has not contradicted for sure
    found = {
        uuid: gone() if seen is None else before_sending(updates[uuid], seen, in_doubt=in_doubt)
        for uuid, seen in now.items()
        if uuid not in denied
    }
    return {uuid: ending for uuid, ending in found.items() if ending is not None}
