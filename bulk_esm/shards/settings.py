"""What a fleet is, as flags or a file say it; refused where it makes no sense. Pure."""

from __future__ import annotations

import re
from typing import Final

from bulk_esm.errors import UsageError
from bulk_esm.model.checked import Checked
from bulk_esm.shards.file import FleetFile
from bulk_esm.shards.roles import account_of_role, check_role, refuse_one_role_for_several
from bulk_esm.shards.spec import ShardSpec, check_account_id, check_regions, narrowed, refuse_twice

# https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccountsForParent.html
_PARENT: Final = re.compile(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")


class FleetSettings(Checked, frozen=True, kw_only=True):
    """What a fleet is. Accounts and Regions together, or a file.

    Attributes:
        regions: the Regions; none for the home Region of the credentials, `all` alone for those that are enabled.
        accounts: account ids; none for that of the credentials, unless an organization says which.
        role_name: the role to assume in each account, or None.
        role_arn: its ARN, with `{account_id}` for the account; or None.
        external_id: what the role's trust policy asks for, or None.
        organization: whether all active accounts of the organization are meant.
        ous: organizational units, or roots, whose active accounts are meant.
        exclude_accounts: which of those are not.
        file: a fleet file that was read, or None.
        shard_tags: `KEY` or `KEY=VALUE`; shards of the file that have none of them are left out.
        shards: names such as `222222222222-eu-west-1`; of all that the rest says, only these are meant.
        profile: a profile of the AWS configuration files, for all that name no other; or None.
    """

    regions: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    role_name: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    organization: bool = False
    ous: tuple[str, ...] = ()
    exclude_accounts: tuple[str, ...] = ()
    file: FleetFile | None = None
    shard_tags: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    profile: str | None = None

    @property
    def asks_organization(self) -> bool:
        """Whether the organization says which accounts."""
        return self.organization or bool(self.ous)

    def check(self) -> None:
        """Refuse what makes no sense; called where it is made.

        Raises:
            UsageError: flags that exclude or lack each other, malformed accounts, unknown Regions, impossible roles.
        """
        for name in self.shards:
            account_id, _, region = name.partition("-")
            check_account_id(account_id, f"--shard {name}: account")
            check_regions((region,), f"--shard {name}: Region")
        refuse_twice(self.shards, "--shard")
        if self.file is not None:
            self._refuse_beside_file()
            narrowed(self.file.specs, self.shard_tags)
            return
        if self.shard_tags:
            raise UsageError("--shard-tag narrows the shards of a file; it goes with --fleet FILE")
        check_regions(self.regions, "--regions")
        for account_id in self.accounts:
            check_account_id(account_id, "--accounts")
        refuse_twice(self.accounts, "--accounts")
        self._check_organization()
        self._check_role()

    def spec(self, account_id: str | None = None) -> ShardSpec:
        """What the flags ask for in one account.

        Args:
            account_id: the account; None for that of the role's ARN or of the credentials.
        """
        return ShardSpec(
            account_id=account_id,
            regions=self.regions,
            role_name=self.role_name,
            role_arn=self.role_arn,
            external_id=self.external_id,
            profile=self.profile,
        )

    def _refuse_beside_file(self) -> None:
        beside = {
            "--accounts": self.accounts,
            "--regions": self.regions,
            "--organization": self.organization,
            "--ou": self.ous,
            "--exclude-account": self.exclude_accounts,
            "--role-name": self.role_name,
            "--role-arn": self.role_arn,
            "--external-id": self.external_id,
        }
        for flag, given in beside.items():
            if given:
                raise UsageError(f"--fleet says which shards, and how to get into them; it goes without {flag}")

    def _check_organization(self) -> None:
        if self.accounts and self.asks_organization:
            flag = "--organization" if self.organization else "--ou"
            raise UsageError(f"--accounts and {flag} both say which accounts; give one of them")
        if self.organization and self.ous:
            raise UsageError("--organization is all of it, and --ou a part of it; give one of them")
        if self.exclude_accounts and not self.asks_organization:
            raise UsageError("--exclude-account leaves accounts of an organization out; add --organization or --ou")
        for unit in self.ous:
            if not _PARENT.fullmatch(unit):
                raise UsageError(f"--ou {unit!r} is no organizational unit; write its id, such as ou-ab12-34cd56ef")
        refuse_twice(self.ous, "--ou")
        for account_id in self.exclude_accounts:
            check_account_id(account_id, "--exclude-account")
        refuse_twice(self.exclude_accounts, "--exclude-account")

    def _check_role(self) -> None:
        check_role(name=self.role_name, template=self.role_arn, external_id=self.external_id)
        several = len(self.accounts) > 1 or self.asks_organization
        if several and self.role_name is None and self.role_arn is None:
            raise UsageError("several accounts need a role in each: give --role-name NAME or --role-arn TEMPLATE")
        if self.role_arn is None:
            return
        if several:
            refuse_one_role_for_several(self.role_arn)
        there = account_of_role(self.role_arn)
        if self.accounts and there not in (None, *self.accounts):
            raise UsageError(f"--role-arn {self.role_arn} is a role of account {there}, not of {self.accounts[0]}")
