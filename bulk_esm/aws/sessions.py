"""Ways into many accounts and Regions from one loaded session."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bulk_esm.aws.logins import Logins
from bulk_esm.aws.pacing import Pacer
from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.clock import Clock


class Sessions:
    """Opens connections that share what is the same: configuration files, botocore's models, assumed roles.

    To be used in one event loop. It holds nothing open itself.
    """

    def __init__(self) -> None:
        """Begin with nothing; nothing is read yet."""
        self._logins = Logins()

    def connect(
        self, settings: ConnectionSettings, *, clock: Clock | None = None, pacer: Pacer | None = None
    ) -> AbstractAsyncContextManager[Connection]:
        """Open a client for one account and Region; see `bulk_esm.aws.session.connect`.

        Args:
            settings: how to reach it.
            clock: the time.
            pacer: that of an earlier connection to the same account and Region.

        Raises:
            UsageError: settings that make no sense; see there.
            AccessError: no credentials, or a role that cannot be assumed.
            ServiceError: STS did not answer.
        """
        return connect(settings, clock=clock, logins=self._logins, pacer=pacer)
