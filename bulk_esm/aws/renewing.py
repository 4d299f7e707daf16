"""Credentials that renew themselves: one attempt at a time, a rest after one that failed, and one warning."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import UTC, datetime
from typing import Any, Final

from aiobotocore.credentials import AioDeferredRefreshableCredentials

from bulk_esm.errors import BulkEsmError
from bulk_esm.logs import get_logger

log: Final = get_logger("aws")

ASK_AGAIN_S: Final = 30.0  # after a failure, which all share that need the same credentials meanwhile


class RenewedCredentials(AioDeferredRefreshableCredentials):  # type: ignore[misc]  # aiobotocore is untyped
    """What botocore makes of credentials that expire, but for the asking.

    botocore asks for new ones 15 minutes before the end, whatever their life, and in the last ten minutes before each
    request; each failure puts a traceback on the terminal, and each request that waits asks once more. Here they are
    used as long as they last, and whoever waits shares what came of the one attempt.
    """

    def __init__(self, *, method: str, ahead_s: float = 0.0, last_s: float = 0.0) -> None:
        """Begin without credentials.

        Args:
            method: botocore's name of where they come from.
            ahead_s: how long before their end new ones are asked for.
            last_s: how long before their end no request goes out without new ones.
        """
        super().__init__(refresh_using=lambda: self._answer, method=method)
        self._advisory_refresh_timeout = ahead_s
        self._mandatory_refresh_timeout = last_s
        self._answer: dict[str, Any] = {}
        self._not_before = float("-inf")
        self._failure: BulkEsmError | None = None
        self._has_warned = False

    @abstractmethod
    async def _ask(self) -> dict[str, Any]:
        """Ask for new ones: what botocore's refreshing takes.

        Raises:
            BulkEsmError: there are none.
        """

    @abstractmethod
    def _warn(self, error: BulkEsmError) -> None:
        """Say that no new ones came yet."""

    async def _protected_refresh(self, is_mandatory: bool) -> None:  # noqa: FBT001 - botocore's name and form of it
        """Ask first, and leave only the taking over to botocore, which would put a traceback on the user's terminal."""
        if time.monotonic() < self._not_before:
            if is_mandatory and self._failure is not None:
                raise self._failure
            if not is_mandatory:
                return
        try:
            self._answer = await self._ask()
        except BulkEsmError as error:
            self._not_before = time.monotonic() + ASK_AGAIN_S
            if is_mandatory:
                self._failure = error
                raise
            if not self._has_warned:
                self._warn(error)
            self._has_warned = True
            return
        self._failure, self._has_warned = None, False
        await super()._protected_refresh(is_mandatory)


def end_of(expires_at: str) -> datetime:
    """When credentials expire.

    Args:
        expires_at: as their source writes it; UTC where it names no zone.

    Raises:
        ValueError: that is no time.
    """
    at: datetime = RenewedCredentials._expiry_datetime(expires_at)  # noqa: SLF001 - botocore's own reading of it
    return at if at.tzinfo else at.replace(tzinfo=UTC)
