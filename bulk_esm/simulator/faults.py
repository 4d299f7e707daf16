"""What can be made to go wrong, and the rest of what the outside world does to a fleet's owner."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from bulk_esm.model.checked import Checked, Count, NotNegative, Seconds, Share
from bulk_esm.simulator.draws import draw
from bulk_esm.simulator.spoils import Spoil


class Fate(StrEnum):
    """What becomes of one request."""

    ANSWERED = "answered"
    SERVER_ERROR = "server-error"
    CUT_BEFORE = "cut-before"
    CUT_AFTER = "cut-after"


class Denial(Checked, frozen=True, kw_only=True):
    """A statement that denies an action, of all mappings or of some, as a policy may (F§0.1).

    Attributes:
        action: the IAM action, such as `lambda:UpdateEventSourceMapping`.
        resources: globs; it holds for mappings whose UUID or ARN, or whose function's name or ARN, matches one, and for
            roles whose ARN does, of `sts:AssumeRole`. All mappings, and List, if there are none.
        from_s: from when on it holds, in virtual seconds.
        until_s: until when; None for ever.
    """

    action: str
    resources: tuple[str, ...] = ()
    from_s: Seconds = 0.0
    until_s: Seconds | None = None

    def denies(self, action: str, names: Collection[str], now: float) -> bool:
        """Whether it denies a call.

        Args:
            action: the call's IAM action.
            names: what the mapping and its function are called; none where no mapping is meant.
            now: virtual seconds.
        """
        if action != self.action or now < self.from_s or (self.until_s is not None and now >= self.until_s):
            return False
        return not self.resources or any(fnmatchcase(name, glob) for name in names for glob in self.resources)


class Faults(Checked, frozen=True, kw_only=True):
    """Faults to inject; the default is none. Shares are from 0 to 1 and drawn by the simulator's seed.

    Virtual seconds pass `speed` times as fast as real ones.

    Attributes:
        error_share: share of Lambda requests answered 500 ServiceException; nothing is applied.
        cut_before_share: share of Lambda requests whose connection breaks before anything is applied.
        cut_after_share: share of Lambda requests that are carried out, and then the connection breaks, whatever the
            answer would have been. Clients may hide a cut: aiohttp, and so aiobotocore, resends GET, PUT and DELETE
            once of its own accord, whatever the SDK's retries are set to.
        latency_s: how long each Lambda answer takes, in real seconds; an update is applied before the wait.
        latency_share: share of Lambda answers that take that long.
        stuck_share: share of mappings that never come to rest once updated.
        list_lag_s: how far List lags behind Get, in virtual seconds.
        list_lag_real_s: how far it lags beyond that, in real seconds, whatever the speed.
        list_wrong_share: share of accepted updates after which List shows the mapping at rest in the wrong state, with
            a fresh LastModified.
        list_wrong_for_s: for how long, in virtual seconds.
        refused_share: share of mappings whose updates are all refused, in the words for a queue whose visibility
            timeout is too short. Without faults that is checked as Lambda does, where FunctionName is sent only: see
            `Fleet.visibility_timeouts`.
        denied_accounts: accounts in which every call is answered 403 AccessDeniedException, but for GetCallerIdentity,
            which nobody can be denied, and for AssumeRole, which is for the role's trust policy to say: see `denials`.
        denied_actions: IAM actions that every caller lacks, such as `lambda:GetEventSourceMapping`, answered likewise.
        denials: what policies deny, of all mappings or of some.
        broken_accounts: accounts in which every Lambda request is answered 500 ServiceException.
        expires_after_s: when every caller's token expires, in virtual seconds from the start: every call is then
            answered 403 ExpiredTokenException. None is never.
        clock_ahead_s: how far this service's clock is ahead of the real one, in seconds, as if the callers' were wrong:
            its answers' `Date` says so, and what is signed more than 5 minutes away from it is refused.
        clock_behind_s: how far it is behind, likewise.
        throttle_code: the form of a throttle: 429 TooManyRequestsException, or the rarer 400 ThrottlingException.
        retry_after_s: what a throttle's `Retry-After` header says, in seconds; None sends no such header.
        other_caller_share: share of the quota that another caller uses up; it is always served first. Above 1 it also
            drains what was saved up.
        other_caller_on_s: how long the other caller is busy at a time, in virtual seconds, from the start.
        other_caller_off_s: how long it then pauses, in virtual seconds; 0 makes it steady.
        spoils: what is wrong with answers; which of them is drawn. Those of List spoil List's answers alone.
        spoiled_share: share of Lambda's answers that are spoiled, where there are spoils.
        redirects_to: where `Spoil.REDIRECT` points to.
        drip_s: real seconds before each byte of `Spoil.DRIP`.
    """

    error_share: Share = 0.0
    cut_before_share: Share = 0.0
    cut_after_share: Share = 0.0
    latency_s: Seconds = 0.0
    latency_share: Share = 1.0
    stuck_share: Share = 0.0
    list_lag_s: Seconds = 0.0
    list_lag_real_s: Seconds = 0.0
    list_wrong_share: Share = 0.0
    list_wrong_for_s: Seconds = 0.0
    refused_share: Share = 0.0
    denied_accounts: frozenset[str] = frozenset()
    denied_actions: frozenset[str] = frozenset()
    denials: tuple[Denial, ...] = ()
    broken_accounts: frozenset[str] = frozenset()
    expires_after_s: Seconds | None = None
    clock_ahead_s: Seconds = 0.0
    clock_behind_s: Seconds = 0.0
    throttle_code: Literal["TooManyRequestsException", "ThrottlingException"] = "TooManyRequestsException"
    retry_after_s: Count | None = None
    other_caller_share: NotNegative = 0.0
    other_caller_on_s: Seconds = 1.0
    other_caller_off_s: Seconds = 0.0
    spoils: tuple[Spoil, ...] = ()
    spoiled_share: Share = 1.0
    redirects_to: str = "http://127.0.0.1:9/"
    drip_s: Seconds = 1.0

    @property
    def clock_off_s(self) -> float:
        """How far this service's clock is ahead of the real one, in seconds; behind if that is below 0."""
        return self.clock_ahead_s - self.clock_behind_s

    def fate(self, *key: object) -> Fate:
        """Draw what becomes of one Lambda request.

        Args:
            key: what tells this request from all others, the seed included.
        """
        number = draw("fate", *key)
        for fate, share in (
            (Fate.SERVER_ERROR, self.error_share),
            (Fate.CUT_BEFORE, self.cut_before_share),
            (Fate.CUT_AFTER, self.cut_after_share),
        ):
            if number < share:
                return fate
            number -= share
        return Fate.ANSWERED

    def delay_s(self, *key: object) -> float:
        """Draw how long one answer is held back, in real seconds.

        Args:
            key: what tells this request from all others, the seed included.
        """
        slow = self.latency_s > 0 and draw("latency", *key) < self.latency_share
        return self.latency_s if slow else 0.0

    def spoil(self, *key: object) -> Spoil | None:
        """Draw what is wrong with one answer, if anything is.

        Args:
            key: what tells this request from all others, the seed included.
        """
        if not self.spoils or draw("spoiled", *key) >= self.spoiled_share:
            return None
        return self.spoils[int(draw("spoil", *key) * len(self.spoils))]
