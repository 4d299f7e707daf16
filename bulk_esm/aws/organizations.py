"""The accounts of an organization, outside Lambda's quota. Only its management account, or a delegated one, may ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bulk_esm.aws.errors import translated
from bulk_esm.errors import ServiceError, UsageError

_NO_SUCH_PARENT: Final = frozenset({"ParentNotFoundException", "InvalidInputException"})


async def active_accounts(client: Any) -> list[str]:
    """All accounts of the organization that are in use, its management account included.

    Args:
        client: an aiobotocore client of Organizations.

    Returns:
        Their ids, in order.

    Raises:
        AccessError: the credentials are refused, or there is no organization that they may see.
        ServiceError: an answer that botocore's retries did not mend.
    """
    with translated("organizations:ListAccounts"):
        pages = client.get_paginator("list_accounts").paginate()
        return sorted([account async for page in pages for account in _active(page["Accounts"])])


async def accounts_under(client: Any, parent_id: str) -> list[str]:
    """The accounts in use of an organizational unit, or of a root, and of all units below it.

    Args:
        client: an aiobotocore client of Organizations.
        parent_id: such as `ou-ab12-34cd56ef` or `r-ab12`.

    Returns:
        Their ids, in order.

    Raises:
        UsageError: there is no such unit.
        AccessError: the credentials are refused.
        ServiceError: an answer that botocore's retries did not mend.
    """
    found: list[str] = []
    parents, seen = [parent_id], {parent_id}
    try:
        while parents:
            parent = parents.pop()
            with translated("organizations:ListAccountsForParent"):
                async for page in client.get_paginator("list_accounts_for_parent").paginate(ParentId=parent):
                    found += _active(page["Accounts"])
            with translated("organizations:ListOrganizationalUnitsForParent"):
                units = client.get_paginator("list_organizational_units_for_parent").paginate(ParentId=parent)
                below = {unit["Id"] async for page in units for unit in page["OrganizationalUnits"]} - seen
                seen |= below
                parents += sorted(below)
    except ServiceError as error:
        if error.code in _NO_SUCH_PARENT:
            raise UsageError(f"no organizational unit {parent_id!r} ({error.code}); see --ou") from error
        raise
    return sorted(found)


def _active(accounts: Iterable[Mapping[str, Any]]) -> list[str]:
    # `State` takes the place of `Status`, which was to be retired on 9 September 2026; not every imitation has it.
    # https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
    return [account["Id"] for account in accounts if (account.get("State") or account.get("Status")) == "ACTIVE"]
