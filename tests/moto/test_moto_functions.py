"""Pointing mappings at other functions, versions and aliases, as far as moto has them."""

import pytest
from moto_account import MotoAccount, function_arn, into

from bulk_esm import BulkEsm, Change, Outcome, Result, Selection

pytest_plugins = ("moto_fixtures",)


@pytest.fixture
def mapping(moto: MotoAccount) -> str:
    """A mapping of `orders`; there are `orders:1`, `orders:PROD`, which is `orders:1`, and `billing` to point it at."""
    moto.create_function("orders")
    moto.create_function("billing")
    moto.lambda_.publish_version(FunctionName="orders")
    moto.lambda_.create_alias(FunctionName="orders", Name="PROD", FunctionVersion="1")
    return moto.create_mapping("orders", moto.create_queue("orders"))


async def point(bulk: BulkEsm, uuid: str, name: str) -> Result:
    results: list[Result] = []
    plan = await bulk.plan(Selection(uuids=frozenset({uuid})), Change({"FunctionName": name}))
    await bulk.apply(plan, observers=[into(results)])
    [result] = results
    return result


async def test_from_function_to_function(moto: MotoAccount, mapping: str, bulk: BulkEsm) -> None:
    # A function, its version and back again: without a qualifier and with one are not the same.
    for name in ("billing", "orders:1", "orders", function_arn("orders:1"), function_arn("billing")):
        assert (await point(bulk, mapping, name)).outcome is Outcome.UPDATED
        arn = name if name.startswith("arn:") else function_arn(name)
        assert moto.get(mapping, "FunctionArn") == arn
        for same in (arn, arn.removeprefix(function_arn(""))):
            assert (await point(bulk, mapping, same)).outcome is Outcome.UNCHANGED


async def test_an_alias_that_moto_resolves_is_not_taken_for_what_was_asked(
    moto: MotoAccount, mapping: str, bulk: BulkEsm
) -> None:
    # Lambda keeps the alias; moto puts the version that it stands for in its place. Neither the old function nor what
    # was asked for: for all we know someone else was here.
    result = await point(bulk, mapping, "orders:PROD")
    assert moto.get(mapping, "FunctionArn") == function_arn("orders:1")
    assert result.outcome is Outcome.CONFLICT
    assert result.error
    assert "orders:PROD" in result.error.message


async def test_a_latest_that_moto_leaves_out_is_not_taken_for_what_was_asked(
    moto: MotoAccount, mapping: str, bulk: BulkEsm
) -> None:
    result = await point(bulk, mapping, "orders:$LATEST")
    assert moto.get(mapping, "FunctionArn") == function_arn("orders")
    assert result.outcome is Outcome.FAILED
    assert result.error
    assert result.error.code == "NotApplied"


async def test_a_function_that_is_not_there(moto: MotoAccount, mapping: str, bulk: BulkEsm) -> None:
    # moto says ResourceNotFoundException of the function, where Lambda says InvalidParameterValueException (F§3.5): it
    # is not the mapping that is gone, and the user must not be told so.
    result = await point(bulk, mapping, "nobody")
    assert result.outcome is Outcome.FAILED
    assert result.error
    assert "nobody" in result.error.message
    assert result.update_calls == 1
    assert moto.get(mapping, "FunctionArn") == function_arn("orders")
