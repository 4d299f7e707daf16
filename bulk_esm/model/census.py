"""How many mappings there are: what a List of them costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from bulk_esm.model.mapping import EventSourceMapping

PAGE_SIZE: Final = 100  # Lambda's own limit, whatever MaxItems says (F§2)


class Census(msgspec.Struct):
    """A count of the mappings of one account and Region.

    Attributes:
        total: all of them; 0 if nobody counted. If the count broke off, what was counted, or what that lets expect.
        complete: whether the count did not break off.
        account_id: the account, as the functions' ARNs name it; None if nothing was counted.
        by_function: by function ARN.
        by_source: by event source ARN.
    """

    total: int = 0
    complete: bool = False
    account_id: str | None = None
    by_function: Counter[str] = msgspec.field(default_factory=Counter)
    by_source: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, mappings: Iterable[EventSourceMapping]) -> None:
        """Count some more."""
        for mapping in mappings:
            self.total += 1
            if mapping.function_arn:
                self.by_function[mapping.function_arn] += 1
                self.account_id = self.account_id or mapping.function.account_id
            if mapping.event_source_arn:
                self.by_source[mapping.event_source_arn] += 1

    def expect(self, total: int) -> None:
        """Take note of how many there seem to be, which counts only until they are counted.

        Args:
            total: an estimate.
        """
        if not self.complete:
            self.total = max(self.total, total)
