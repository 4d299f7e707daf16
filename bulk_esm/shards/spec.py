"""What is asked for, checked, and the shards that it comes to. Pure: what must be asked of AWS comes from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from bulk_esm.aws.regions import partition_of, unknown_region
from bulk_esm.errors import UsageError
from bulk_esm.model.checked import AboveZero, Checked
from bulk_esm.model.parameters import nearest
from bulk_esm.model.shard import Shard
from bulk_esm.shards.roles import PLACEHOLDER, account_of_role, check_role, role_arn_of

ALL_REGIONS: Final = "all"


class ShardSpec(Checked, frozen=True, kw_only=True):
    """One account, known or not yet, and its Regions.

    Attributes:
        account_id: 12 digits; None for the account of the role's ARN or, without one, of the credentials.
        regions: the Regions; none for the home Region of the credentials, `all` alone for those that are enabled.
        role_name: a role's name, or None.
        role_arn: a role's ARN, with `{account_id}` for the account; or None.
        external_id: what the role's trust policy asks for, or None.
        profile: a profile of the AWS configuration files, or None.
        max_per_second: requests/s; None for what holds for all.
        tags: what a fleet file says of it.
        where: what to name in messages, such as a shard of a fleet file; empty for flags.
    """

    account_id: str | None = None
    regions: tuple[str, ...] = ()
    role_name: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    profile: str | None = None
    max_per_second: AboveZero | None = None
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    where: str = ""

    def check(self) -> None:
        """Refuse what makes no sense; called where it is made.

        Raises:
            UsageError: a malformed account, an unknown Region, one named twice, or an impossible role.
        """
        before = f"{self.where}, " if self.where else ""
        if self.account_id is not None:
            check_account_id(self.account_id, f"{before}account")
        check_regions(self.regions, f"{before}region")
        check_role(name=self.role_name, template=self.role_arn, external_id=self.external_id, where=self.where)
        there = account_of_role(self.role_arn) if self.role_arn is not None else None
        if None not in (self.account_id, there) and there != self.account_id:
            wrong = f"{self.role_arn} is a role of account {there}, not of {self.account_id}"
            raise UsageError(f"{before}role_arn: {wrong}; in one for several accounts write {PLACEHOLDER}")

    @property
    def known_account_id(self) -> str | None:
        """The account, if nobody needs to be asked."""
        if self.account_id is None and self.role_arn is not None:
            return account_of_role(self.role_arn)
        return self.account_id

    def shard(self, account_id: str, region: str) -> Shard:
        """The shard of one of its Regions."""
        role_arn = role_arn_of(
            name=self.role_name, template=self.role_arn, account_id=account_id, partition=partition_of(region)
        )
        return Shard(
            account_id=account_id,
            region=region,
            role_arn=role_arn,
            external_id=self.external_id,
            profile=self.profile,
            max_per_second=self.max_per_second,
            tags=self.tags,
        )


def check_account_id(text: str, where: str) -> None:
    """Refuse what is no account id.

    Raises:
        UsageError: it has not 12 digits.
    """
    if not (text.isascii() and text.isdecimal() and len(text) == 12):  # noqa: PLR2004 - an account id
        raise UsageError(f"{where} {text!r} is no account id, which has 12 digits")


def check_regions(regions: Sequence[str], where: str) -> None:
    """Refuse Regions that there are not.

    Raises:
        UsageError: an unknown one, one named twice, or `all` beside others.
    """
    if ALL_REGIONS in regions and len(regions) > 1:
        raise UsageError(f"{where}: all means every enabled Region; name Regions, or all alone")
    refuse_twice(regions, where)
    for region in regions:
        if region != ALL_REGIONS and (unknown := unknown_region(region)) is not None:
            raise UsageError(f"{where} {unknown}")


def refuse_twice(names: Iterable[str], where: str) -> None:
    """Refuse a list in which something stands twice.

    Raises:
        UsageError: something does.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{where}: {name} is named twice; leave one out")
        seen.add(name)


def refuse_duplicates(named: Iterable[tuple[str, str]]) -> None:
    """Refuse a shard that is asked for twice, by whatever ways in.

    Raises:
        UsageError: one is.
    """
    seen: dict[str, str] = {}
    for name, where in named:
        if name in seen:
            both = f"{where} is shard {name}, and so is {seen[name]}" if where else f"shard {name} is named twice"
            raise UsageError(f"{both}; leave one out")
        seen[name] = where


def names_of(specs: Iterable[ShardSpec]) -> list[tuple[str, str]]:
    """The names that shards will have, as far as nobody needs to be asked, and where each was asked for."""
    return [
        (f"{account_id}-{region}", spec.where)
        for spec in specs
        if (account_id := spec.known_account_id) is not None
        for region in spec.regions
    ]


def narrowed(specs: Sequence[ShardSpec], tags: Sequence[str]) -> tuple[ShardSpec, ...]:
    """Those that have one of some tags.

    Raises:
        UsageError: a tag without a key, or nothing is left.
    """
    if not tags:
        return tuple(specs)
    for tag in tags:
        if not tag.partition("=")[0]:
            raise UsageError(f"--shard-tag {tag!r}: a tag is KEY or KEY=VALUE")
    left = tuple(spec for spec in specs if any(_has(spec.tags, tag) for tag in tags))
    if not left:
        there = {f"{key}={value}" if "=" in tags[0] else key for spec in specs for key, value in spec.tags.items()}
        raise UsageError(f"no shard has --shard-tag {' or '.join(tags)}{nearest(tags[0], there)}")
    return left


def _has(tags: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in tags and (not equals or tags[key] == value)
