"""Refusals for want of permission: what they say of a mapping, and when of its whole account and Region. Pure.

A policy can allow some mappings and deny others, by ARN, function or tag (F§0.1), so one refusal says nothing of the
rest. When many were refused and none was ever accepted, the role lacks the action.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from bulk_esm.model.result import Outcome, Result

MOST_DENIED: Final = 10
DENIED_CODE: Final = "AccessDeniedException"
EXPLICIT: Final = "explicit deny"


class Denials(msgspec.Struct, frozen=True, kw_only=True):
    """What the updates of a run met in a shard.

    Attributes:
        updates: to how many mappings something is to be sent there, since the run was started or taken up.
        denied: how many different ones were refused since.
        accepted: whether any was ever accepted in this run.
    """

    updates: int = 0
    denied: int = 0
    accepted: bool = False

    @property
    def is_of_all(self) -> bool:
        """Whether the shard ends as denied."""
        return not self.accepted and 0 < min(MOST_DENIED, self.updates) <= self.denied

    def and_of(self, result: Result) -> Denials:
        """The same with one more result."""
        accepted = self.accepted or was_accepted(result)
        return msgspec.structs.replace(self, denied=self.denied + was_denied(result), accepted=accepted)


def was_denied(result: Result) -> bool:
    """Whether a mapping's update was refused for want of permission."""
    return result.outcome is Outcome.FAILED and result.error is not None and result.error.code == DENIED_CODE


def was_accepted(result: Result) -> bool:
    """Whether a mapping's update was accepted."""
    return result.accepted_at is not None or result.outcome is Outcome.UPDATED


def denied_though_none_accepted(results: Iterable[Result]) -> int:
    """How many of a shard's updates were refused so, if none was accepted: then the shard failed, and not they."""
    found = list(results)
    return 0 if any(map(was_accepted, found)) else sum(map(was_denied, found))


def missing_statement(action: str, arn: str, *, said: str) -> str:
    """What of IAM is missing, in words for a message.

    Args:
        action: such as `lambda:UpdateEventSourceMapping`.
        arn: the mapping's.
        said: the service's own words.
    """
    if EXPLICIT in said:
        return f"{said}; a statement denies {action} on {arn}: take it away, or make its conditions narrower"
    return f"{said}; the statement that is missing: Allow {action} on Resource {arn}"
