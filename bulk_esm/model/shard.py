"""A shard: one account and Region, and how to get into it. No credential is ever part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from bulk_esm.errors import (
    AccessError,
    BulkEsmError,
    DeniedError,
    NoCredentialsError,
    ServiceError,
)

# Where they are read from a file: they become names of folders there, and parts of addresses.
AccountId = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}\Z")]
RegionName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]+\Z")]


class Shard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One account and Region.

    Attributes:
        account_id: 12 digits; None for the home shard as long as nobody has told: that of the credentials found.
        region: the Region.
        role_arn: the role to assume there; None for the credentials as they are.
        external_id: what the role's trust policy asks for, or None.
        profile: a profile of the AWS configuration files of whoever does the work, or None.
        max_per_second: requests/s; None for what holds for all.
        tags: what a fleet file says of it, for `--shard-tag`.
    """

    account_id: AccountId | None
    region: RegionName
    role_arn: str | None = None
    external_id: str | None = None
    profile: str | None = None
    max_per_second: float | None = None
    tags: dict[str, str] = {}

    @property
    def name(self) -> str:
        """What tells it from the others, as a folder too: such as `123456789012-eu-west-1`."""
        return f"{self.account_id or 'home'}-{self.region}"

    @property
    def is_known(self) -> bool:
        """Whether it is one account and Region, and no stand-in for what could not be asked."""
        return (self.account_id or "").isdigit() and self.region != "all"

    @property
    def way(self) -> tuple[str | None, str | None, str | None, str]:
        """What tells it from the others however much of it is known: by which credentials, and in which Region."""
        return self.profile, self.role_arn, self.external_id, self.region


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a shard could not be worked in: an error that travels.

    Attributes:
        reason: what happened and what to do.
        kind: the class of the error.
        exit_code: what a command ends with that meets it in its only shard.
        is_access: whether it is a matter of how the shard is reached: credentials, permissions, a role, a profile.
    """

    reason: str
    kind: str = ""
    exit_code: int = 1
    is_access: bool = False

    @classmethod
    def of(cls, error: BulkEsmError, *, is_access: bool | None = None) -> Problem:
        """What ended the work in a shard.

        Args:
            error: the error.
            is_access: see there; by default whether it is an `AccessError`.
        """
        return cls(
            reason=str(error),
            kind=type(error).__name__,
            exit_code=error.exit_code,
            is_access=isinstance(error, AccessError) if is_access is None else is_access,
        )

    @property
    def is_workers(self) -> bool:
        """Whether it is not the shard's but that of whoever tried, who has no credentials at all."""
        return self.kind == NoCredentialsError.__name__

    def error(self) -> BulkEsmError:
        """The error that it was, for whoever asked for this shard alone."""
        of_kind = {kind.__name__: kind for kind in _kinds(BulkEsmError)}
        of_kind[DeniedError.__name__] = AccessError
        error = of_kind.get(self.kind, BulkEsmError)(self.reason)
        if self.kind == ServiceError.__name__:
            code, _, message = self.reason.partition(": ")
            error = ServiceError(code=code, message=message)
        error.exit_code = self.exit_code
        return error


def _kinds(of: type[BulkEsmError]) -> Iterator[type[BulkEsmError]]:
    """The errors that are made of a message alone."""
    for kind in of.__subclasses__():
        if kind not in {DeniedError, ServiceError} and kind.__module__ == of.__module__:
            yield kind
        yield from _kinds(kind)
