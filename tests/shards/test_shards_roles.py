"""The role in an account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shards_samples import ONE, TWO

from bulk_esm.errors import UsageError
from bulk_esm.shards.roles import account_of_role, check_role, role_arn_of

TEMPLATE = "arn:aws:iam::{account_id}:role/team/bulk-esm"
accounts = st.from_regex(r"[0-9]{12}", fullmatch=True)
names = st.from_regex(r"([a-z]{1,9}/)?[A-Za-z0-9+=,.@_-]{1,64}", fullmatch=True)


@given(account_id=accounts, name=names, partition=st.sampled_from(["aws", "aws-cn", "aws-us-gov"]))
def test_a_name_and_a_template_come_to_the_same_role(account_id: str, name: str, partition: str) -> None:
    by_name = role_arn_of(name=name, template=None, account_id=account_id, partition=partition)
    template = f"arn:{partition}:iam::{{account_id}}:role/{name}"
    assert by_name == role_arn_of(name=None, template=template, account_id=account_id, partition="aws")
    assert by_name is not None
    assert account_of_role(by_name) == account_id
    assert account_of_role(template) is None


def test_no_role_and_the_role_of_one_account() -> None:
    assert role_arn_of(name=None, template=None, account_id=ONE, partition="aws") is None
    arn = f"arn:aws:iam::{ONE}:role/x"
    assert role_arn_of(name=None, template=arn, account_id=ONE, partition="aws") == arn
    with pytest.raises(UsageError, match=f"account {ONE}, not of {TWO}"):
        role_arn_of(name=None, template=arn, account_id=TWO, partition="aws")


@pytest.mark.parametrize(
    ("name", "template", "external_id", "said"),
    [
        ("x", TEMPLATE, None, "give one of them"),
        ("arn:aws:iam::111111111111:role/x", None, None, "--role-arn"),
        ("team:x", None, None, "--role-arn"),
        ("a role", None, None, "no role name"),
        ("", None, None, "no role name"),
        ("x" * 65, None, None, "no role name"),
        (None, "arn:aws:iam::{account}:role/x", None, "{account} in .* write {account_id}"),
        (None, "arn:aws:iam::{}:role/x", None, "write {account_id}"),
        (None, "arn:aws:iam::{account_id:role/x", None, "write {account_id}"),
        (None, "bulk-esm", None, "no role's ARN"),
        (None, "arn:aws:iam::{account_id}:user/x", None, "no role's ARN"),
        (None, "arn:aws:iam::1234:role/x", None, "no role's ARN"),
        (None, "arn:aws:sts::{account_id}:assumed-role/x/y", None, "no role's ARN"),
        (None, None, "secret", "goes with a role"),
        ("x", None, "s", "no external id"),
    ],
)
def test_bad_roles(name: str | None, template: str | None, external_id: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_role(name=name, template=template, external_id=external_id)
