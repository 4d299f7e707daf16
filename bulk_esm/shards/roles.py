"""The role to assume in an account: from its name, or from a template of its ARN. Pure."""

from __future__ import annotations

import re
from typing import Final

from bulk_esm.errors import UsageError

PLACEHOLDER: Final = "{account_id}"

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html: a path of printable characters, and a name.
_NAME: Final = r"/?(?:[!-~]+/)?[\w+=,.@-]{1,64}"
_ROLE_NAME: Final = re.compile(_NAME, re.ASCII)
_ROLE_ARN: Final = re.compile(rf"arn:aws[a-z-]*:iam::(\d{{12}}):role/{_NAME}", re.ASCII)
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_ANY_ACCOUNT: Final = "0" * 12
_FORM: Final = f"arn:aws:iam::{PLACEHOLDER}:role/NAME"


def check_role(*, name: str | None, template: str | None, external_id: str | None = None, where: str = "") -> None:
    """Refuse a role that is none.

    Raises:
        UsageError: both, a malformed one, an unknown placeholder, or an external id that is malformed or for no role.
    """
    before = f"{where}: " if where else ""
    if name is not None and template is not None:
        raise UsageError(f"{before}a role name and a role ARN both say which role; give one of them")
    if name is not None and ":" in name:
        raise UsageError(f"{before}{name!r} is no role name; give an ARN with --role-arn (role_arn in a fleet file)")
    if name is not None and not _ROLE_NAME.fullmatch(name):
        raise UsageError(f"{before}{name!r} is no role name: letters, digits and +=,.@_-, at most 64, after a path")
    if template is not None:
        _check_template(template, before)
    if external_id is None:
        return
    if name is None and template is None:
        raise UsageError(f"{before}an external id goes with a role; give --role-name or --role-arn, or leave it out")
    if not _EXTERNAL_ID.fullmatch(external_id):
        raise UsageError(f"{before}{external_id!r} is no external id: 2 to 1,224 letters, digits and +=,.@:/_-")


def _check_template(template: str, before: str) -> None:
    filled = template.replace(PLACEHOLDER, _ANY_ACCOUNT)
    if unknown := re.search(r"\{[^{}]*\}|[{}]", filled):
        raise UsageError(f"{before}{unknown[0]} in {template!r} stands for nothing; write {PLACEHOLDER}, as in {_FORM}")
    if not _ROLE_ARN.fullmatch(filled):
        raise UsageError(f"{before}{template!r} is no role's ARN; write {_FORM}")


def account_of_role(template: str) -> str | None:
    """The account that a role's ARN names; None if it is left open by `{account_id}`."""
    found = _ROLE_ARN.match(template)
    return found[1] if found else None


def refuse_one_role_for_several(template: str, where: str = "--role-arn") -> None:
    """Refuse the role of one account for several.

    Raises:
        UsageError: it has no `{account_id}` for the account.
    """
    if (account_id := account_of_role(template)) is not None:
        of_any = template.replace(f"::{account_id}:", f"::{PLACEHOLDER}:", 1)
        raise UsageError(
            f"{where} {template} is a role of account {account_id} alone; for several accounts write {of_any}"
        )


def role_arn_of(*, name: str | None, template: str | None, account_id: str, partition: str) -> str | None:
    """The role to assume in an account.

    Source of the form: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns

    Returns:
        Its ARN; None if there is no role.

    Raises:
        UsageError: see `check_role`, or an ARN of another account.
    """
    check_role(name=name, template=template)
    if name is not None:
        return f"arn:{partition}:iam::{account_id}:role/{name.removeprefix('/')}"
    if template is None:
        return None
    there = account_of_role(template)
    if there is not None and there != account_id:
        raise UsageError(f"{template} is a role of account {there}, not of {account_id}")
    return template.replace(PLACEHOLDER, account_id)
