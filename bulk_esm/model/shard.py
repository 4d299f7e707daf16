"""A shard: one account and Region, and how to get into it. No credential is ever part of it."""

from __future__ import annotations

import msgspec


class Shard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One account and Region of a fleet.

    Attributes:
        account_id: 12 digits.
        region: the Region.
        role_arn: the role to assume there; None for the credentials as they are.
        external_id: what the role's trust policy asks for, or None.
        profile: a profile of the AWS configuration files of whoever does the work, or None.
        max_per_second: requests/s; None for what holds for all.
        tags: what a fleet file says of it, for `--shard-tag`.
    """

    account_id: str
    region: str
    role_arn: str | None = None
    external_id: str | None = None
    profile: str | None = None
    max_per_second: float | None = None
    tags: dict[str, str] = {}

    @property
    def name(self) -> str:
        """What tells it from the others, as a folder too: such as `123456789012-eu-west-1`."""
        return f"{self.account_id}-{self.region}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a shard could not be worked in.

    Attributes:
        reason: what happened and what to do.
        is_access: whether it is a matter of credentials or permissions.
        is_workers: whether it is not the shard's but that of whoever tried, who has no credentials at all.
    """

    reason: str
    is_access: bool = False
    is_workers: bool = False
