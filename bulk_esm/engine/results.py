"""The results of a run: one for each item, handed on as it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec

from bulk_esm.clock import Clock, iso
from bulk_esm.engine.endings import Ending
from bulk_esm.engine.sending import Sending
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.result import Outcome, Result


def unsent_result(
    item: PlanItem, ending: Ending, *, run_id: str, account_id: str | None, region: str, wave: int, at: datetime
) -> Result:
    """The result of a mapping to which nothing was sent, or of which no more is known.

    Args:
        item: its item.
        ending: how it ended.
        run_id: the run.
        account_id: the account.
        region: the Region.
        wave: the wave, from 1.
        at: when that was known, in UTC.
    """
    seen = ending.seen
    return Result(
        run_id=run_id,
        uuid=item.uuid,
        function_arn=item.function_arn,
        event_source_arn=item.event_source_arn,
        source_type=item.source_type,
        account_id=account_id,
        region=region,
        wave=wave,
        outcome=ending.outcome,
        state=seen.state if seen else item.state,
        request=item.request,
        error=ending.error,
        update_calls=seen.update_calls if seen else 0,
        accepted_at=seen.accepted_at if seen else None,
        settled_at=seen.settled_at if seen else None,
        ended_at=iso(at),
        # How long it took what an earlier part of the run has sent, nobody has seen.
        duration_s=None if seen else 0.0,
    )


class ResultMaker:
    """Makes the results, and counts them.

    Attributes:
        wave: the wave that is under way, from 1.
        record: called with each result as it ends.
        outcomes: results so far, by outcome.
    """

    def __init__(self, *, run_id: str, account_id: str | None, region: str, clock: Clock) -> None:
        """Start empty.

        Args:
            run_id: the run.
            account_id: the account.
            region: the Region.
            clock: the time.
        """
        self.wave = 1
        self.record: Callable[[Result], None] = lambda _: None
        self.outcomes: Counter[Outcome] = Counter()
        self._run_id = run_id
        self._account_id = account_id
        self._region = region
        self._clock = clock
        self._broken = False

    def end(self, sending: Sending, ending: Ending) -> Result | None:
        """Make an item's one result.

        Args:
            sending: what was done for it.
            ending: how it ended.

        Returns:
            The result; None once one could not be recorded.

        Raises:
            Exception: what `record` raises, once. That ends the run, and no result follows one that was not recorded.
        """
        if self._broken:
            return None
        unsent = unsent_result(
            sending.item,
            ending,
            run_id=self._run_id,
            account_id=self._account_id,
            region=self._region,
            wave=self.wave,
            at=self._clock.now(),
        )
        result = (
            unsent
            if ending.seen
            else msgspec.structs.replace(
                unsent,
                state=unsent.state if sending.state is None else sending.state,
                update_calls=sending.update_calls,
                accepted_at=iso(sending.accepted_at),
                settled_at=iso(sending.settled_at),
                duration_s=round(self._clock.monotonic() - sending.started_s, 3),
            )
        )
        try:
            self.record(result)
        except BaseException:
            self._broken = True
            raise
        self.outcomes[ending.outcome] += 1
        return result
