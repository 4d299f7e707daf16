"""The sending of one item: send until accepted for sure, then wait until settled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.clock import Clock
from bulk_esm.engine.endings import Ending, after_doubt, after_settling, noted
from bulk_esm.engine.resting import until_at_rest
from bulk_esm.engine.settling import Asked, Verdict
from bulk_esm.engine.waits import Settlement
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.logs import get_logger
from bulk_esm.model.changed import others_hand
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.transitions import Transition, TransitionKind

log: Final = get_logger("engine")

# How often one update may end in doubt or in use, and be found not applied, before that is its result.
_MOST_DOUBTS: Final = 8


class Sending:
    """One item under way; a result can be made of it at any instant.

    Attributes:
        item: the item of the plan.
        state: the mapping's state as last seen in this run, or None; no more of it is kept, as many wait at once.
        update_calls: how many updates were sent for it.
        accepted_at: when Lambda accepted the update, or was seen to have.
        settled_at: when it was seen at rest as asked.
    """

    def __init__(
        self,
        item: PlanItem,
        *,
        control_plane: ControlPlane,
        deadline: Callable[[], float],
        clock: Clock,
        in_doubt: bool = False,
    ) -> None:
        self.item = item
        self.state: str | None = None
        self.update_calls = 0
        self.accepted_at: datetime | None = None
        self.settled_at: datetime | None = None
        self.started_s = clock.monotonic()
        self._control_plane = control_plane
        self._deadline = deadline
        self._clock = clock
        self._in_doubt = in_doubt  # an update may have arrived although no answer said so
        self._others: list[str] = []  # members that the answer shows as somebody else made them
        self._unseen = False  # an update is out, and neither its answer nor a look has told what became of it

    @property
    def accepted(self) -> bool:
        """Whether Lambda accepted the update."""
        return self.accepted_at is not None

    @property
    def in_doubt(self) -> bool:
        """Whether an update may have arrived although no answer said so, so that what is done may be this run's."""
        return self._in_doubt

    @property
    def perhaps_applied(self) -> bool:
        """Whether the update was accepted, or may have been for all that was seen."""
        return self.accepted or self._unseen

    async def send(
        self,
        *,
        before_sending: Callable[[], None],
        answered: Callable[[], None],
        granted_at: float | None = None,
    ) -> Asked | Ending:
        """Send the update until it is accepted for sure.

        Args:
            before_sending: called just before each update goes out; what it raises keeps it from going.
            answered: called when an update has its answer, or has none.
            granted_at: the pacer's grant for the first update.

        Returns:
            What to wait for until it has settled; or how the item ended without that.

        Raises:
            AccessError: the credentials are refused.
            ServiceError: the update was refused, or a look at it failed for good.
        """
        item = self.item
        deadline = self._deadline()

        def about_to_send() -> None:
            self._unseen = False  # the control plane sends again by itself only what was refused
            before_sending()
            self.update_calls += 1
            self._unseen = True

        for attempt in range(1, _MOST_DOUBTS + 1):
            try:
                accepted = await self._control_plane.update(
                    item.uuid,
                    item.request,
                    deadline=deadline,
                    before_sending=about_to_send,
                    granted_at=granted_at if attempt == 1 else None,
                )
            except AccessError:
                self._unseen = False
                raise
            except ServiceError as error:
                failure = error
            else:
                answered()
                self.state = accepted.state
                self._others = others_hand(item, accepted)
                return self._asked(accepted.last_modified)
            answered()
            found = await self._look_before_sending_again(failure, attempt, deadline)
            if found is not None:
                return found
        raise failure

    async def _look_before_sending_again(
        self, failure: ServiceError, attempt: int, deadline: float
    ) -> Asked | Ending | None:
        item = self.item
        treatment = treatment_of(failure)
        # What stands in the way may have let it through, and kept the answer.
        arrived_perhaps = self._unseen = treatment in {Treatment.TRANSIENT, Treatment.BARRED} and failure.sent
        if treatment is not Treatment.IN_USE and not arrived_perhaps:
            raise failure
        self._in_doubt = self._in_doubt or arrived_perhaps
        log.info("not_accepted_for_sure", uuid=item.uuid, code=failure.code, in_doubt=self._in_doubt)
        if arrived_perhaps:
            await self._clock.sleep(self._control_plane.backoff_s(attempt))
            seen: EventSourceMapping | None = await self._control_plane.get(item.uuid, deadline=deadline)
        else:
            # Whose transition it is, and which, nobody said.
            perhaps = Transition(item.source_type, TransitionKind.RECONFIGURE)
            seen = await until_at_rest(
                self._control_plane,
                item.uuid,
                perhaps,
                deadline=deadline,
                clock=self._clock,
                event_source_arn=item.event_source_arn,
            )
        self._see(seen)
        self._unseen = False
        if seen and not seen.at_rest and self._in_doubt:
            # It was at rest when it was planned; on its way now, after an update that may have arrived: it did.
            return self._asked(seen.last_modified)
        ending = after_doubt(item, seen, in_doubt=self._in_doubt, failure=failure)
        if ending is not None and ending.error is None and self._in_doubt:
            self.accepted_at = self.settled_at = self._clock.now()
        return ending

    def settled(self, settlement: Settlement, asked: Asked) -> Ending:
        """Tell how the item ended, once it was waited for.

        Args:
            settlement: how the wait ended.
            asked: what was asked, from `send`.
        """
        self._see(settlement.mapping)
        if settlement.verdict is Verdict.SETTLED:
            self.settled_at = self._clock.now()
        waited_s = (self._clock.now() - self.accepted_at).total_seconds() if self.accepted_at else 0.0
        ending = after_settling(settlement, asked, waited_s=waited_s)
        return noted(ending, self.item, self._others, settlement.mapping) if self._others else ending

    def _see(self, mapping: EventSourceMapping | None) -> None:
        if mapping is not None:
            self.state = mapping.state

    def _asked(self, accepted_stamp: float) -> Asked:
        self.accepted_at = self._clock.now()
        return Asked.of(self.item, accepted_stamp=accepted_stamp)
