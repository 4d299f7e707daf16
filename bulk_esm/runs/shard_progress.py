"""How a shard of a run stands, for the display and the summary."""

from __future__ import annotations

from collections import Counter

from bulk_esm.executors.tasks import ShardStatus
from bulk_esm.model.denials import Denials
from bulk_esm.model.records import ShardEntry
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.model.stopping import Stop


class ShardProgress:
    """How a shard stands.

    Attributes:
        shard: the shard.
        items: how many mappings its plan has.
        updates: to how many of them something is to be sent.
        seen: how many mappings the shard has, as far as was seen.
        outcomes: results so far, by outcome.
        problem: why it could not be worked in, or None.
        stopped_by: why nothing more is sent in this shard alone, or None.
        at_work: whether somebody works in it now.
        requests: requests that were counted in it, by kind.
        cut_short: how many accepted updates were not waited for to the end.
        denials: what its updates met of refusals, and whether any was accepted.
        unplanned: mappings that the selection means and the plan lacks, function ARNs by UUID.
    """

    def __init__(self, entry: ShardEntry) -> None:
        """Begin before the run."""
        self.shard: Shard = entry.shard
        self.items = entry.items
        self.updates = entry.updates
        self.seen = entry.seen
        self.problem: Problem | None = entry.problem
        self.outcomes: Counter[Outcome] = Counter()
        self.requests: Counter[str] = Counter()
        self.stopped_by: Stop | None = None
        self.at_work = False
        self._status: ShardStatus | None = None
        self._ended_since = 0
        self.cut_short = 0
        self.denials = Denials(updates=entry.updates)
        self.unplanned: dict[str, str | None] = {}

    @property
    def name(self) -> str:
        """The shard's name."""
        return self.shard.name

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent in it, whatever becomes of the others."""
        return self.problem is not None or self.stopped_by is not None

    @property
    def status(self) -> ShardStatus | None:
        """What whoever works in it told last; None while nobody does."""
        return self._status

    @status.setter
    def status(self, told: ShardStatus | None) -> None:
        self._status, self._ended_since = told, 0

    @property
    def sending(self) -> int:
        """Updates on their way to being accepted."""
        return self._status.sending if self._status else 0

    @property
    def settling(self) -> int:
        """Updates that were accepted and have not settled yet; what has ended since that was told does not count."""
        return max(0, self._status.settling - self._ended_since) if self._status else 0

    @property
    def done(self) -> int:
        """Updates that have ended."""
        unsent = self.outcomes[Outcome.UNCHANGED] + self.outcomes[Outcome.BLOCKED]
        return max(0, self.outcomes.total() - unsent)

    def end(self, result: Result) -> None:
        """A mapping has ended."""
        self.denials = self.denials.and_of(result)
        self.outcomes[result.outcome] += 1
        self._ended_since += 1

    def lose(self) -> None:
        """Whoever worked in it is gone: what it had spent when it last told counts."""
        if self._status is not None:
            self.requests.update(self._status.requests)
        self.rest()

    def rest(self) -> None:
        """Nobody works in it for now."""
        self.at_work = False
        self.status = None
