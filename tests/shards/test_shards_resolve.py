"""From what is asked for to shards, and what could not be asked."""

from pathlib import Path
from typing import Any

import pytest
from shards_samples import HOME, ONE, THREE, TWO, FakeSessions, write

from bulk_esm.errors import AccessError, ServiceError, UsageError
from bulk_esm.executors.tasks import Reach
from bulk_esm.shards.file import read_fleet_file
from bulk_esm.shards.resolve import Resolved, resolve
from bulk_esm.shards.settings import FleetSettings

DENIED = AccessError("sts:AssumeRole was refused")
UNIT, INNER = "ou-ab12-34cd56ef", "ou-ab12-34cd56eg"


async def resolved(sessions: FakeSessions, *, home_region: str | None = HOME, **settings: Any) -> Resolved:
    asked = FleetSettings(**settings)
    return await resolve(asked, sessions=sessions, reach=Reach(concurrency=7), home_region=home_region)


async def resolved_file(sessions: FakeSessions, folder: Path, text: str, **settings: Any) -> Resolved:
    return await resolved(sessions, file=read_fleet_file(write(folder, text)), **settings)


def names(found: Resolved) -> list[str]:
    return [shard.name for shard in found.shards]


async def test_accounts_outside_and_regions_inside_without_asking_anybody() -> None:
    sessions = FakeSessions()
    found = await resolved(
        sessions, accounts=(TWO, ONE), regions=("us-east-1", "cn-north-1"), role_name="x", external_id="secret"
    )
    assert names(found) == [f"{TWO}-us-east-1", f"{TWO}-cn-north-1", f"{ONE}-us-east-1", f"{ONE}-cn-north-1"]
    assert [shard.role_arn for shard in found.shards][:2] == [
        f"arn:aws:iam::{TWO}:role/x",
        f"arn:aws-cn:iam::{TWO}:role/x",
    ]
    assert {shard.external_id for shard in found.shards} == {"secret"}
    assert sessions.asked == []


async def test_the_account_and_the_region_of_the_credentials() -> None:
    sessions = FakeSessions(accounts={"hub": ONE})
    (one,) = (await resolved(sessions, profile="hub")).shards
    assert (one.name, one.role_arn, one.profile) == (f"{ONE}-{HOME}", None, "hub")
    assert [(each.profile, each.region, each.role_arn) for each in sessions.asked] == [("hub", HOME, None)]


async def test_without_a_home_region_the_credentials_say_it() -> None:
    sessions = FakeSessions(accounts={None: ONE}, homes={None: "eu-north-1"})
    assert names(await resolved(sessions, home_region=None)) == [f"{ONE}-eu-north-1"]


async def test_a_role_of_one_account_says_which() -> None:
    found = await resolved(FakeSessions(), regions=("us-east-1",), role_arn=f"arn:aws:iam::{TWO}:role/x")
    assert names(found) == [f"{TWO}-us-east-1"]


async def test_all_regions_are_asked_for_in_each_role_and_one_that_is_denied_hurts_no_other() -> None:
    def role(account_id: str) -> str:
        return f"arn:aws:iam::{account_id}:role/x"

    broken = ServiceError(code="InternalError", message="broken", status=500)
    sessions = FakeSessions(enabled={role(ONE): DENIED, role(TWO): ["eu-west-1", "us-east-1"], role(THREE): broken})
    found = await resolved(sessions, accounts=(ONE, TWO, THREE), regions=("all",), role_name="x", external_id="secret")
    assert names(found) == [f"{TWO}-eu-west-1", f"{TWO}-us-east-1"]
    assert [(shard.name, problem.is_access) for shard, problem in found.problems] == [
        (f"{ONE}-all", True),
        (f"{THREE}-all", False),
    ]
    assert "sts:AssumeRole was refused" in found.problems[0][1].reason
    assert {(each.external_id, each.region, each.concurrency) for each in sessions.asked} == {("secret", HOME, 7)}


async def test_some_shards_of_a_fleet_and_of_no_other_account_is_anything_asked(tmp_path: Path) -> None:
    sessions = FakeSessions(enabled={f"arn:aws:iam::{ONE}:role/x": DENIED})
    of_flags: dict[str, Any] = {"accounts": (ONE, TWO), "role_name": "x"}
    one = (f"{TWO}-us-east-1",)
    assert names(await resolved(sessions, regions=("us-east-1", "eu-west-1"), shards=one, **of_flags)) == list(one)
    assert names(await resolved(sessions, regions=("all",), shards=one, **of_flags)) == list(one)
    two = (f"{TWO}-us-east-1", f"{ONE}-{HOME}")
    home = await resolved(sessions, shards=(f"{ONE}-{HOME}",), **of_flags)
    assert names(home) == [f"{ONE}-{HOME}"]
    assert sessions.asked == []
    file = f"""
        regions = ["us-east-1", "{HOME}"]
        [[shards]]
        account = "{ONE}"
        [[shards]]
        account = "{TWO}"
    """
    assert names(await resolved_file(sessions, tmp_path, file, shards=two)) == [f"{ONE}-{HOME}", f"{TWO}-us-east-1"]
    organized = FakeSessions(organization={None: [ONE, TWO, THREE]})
    found = await resolved(organized, organization=True, role_name="x", regions=("us-east-1",), shards=one)
    assert names(found) == list(one)


@pytest.mark.parametrize(
    ("shard", "says"),
    [
        (f"{TWO}-us-west-1", f"no shard of the fleet; did you mean {TWO}-us-east-1?"),
        (f"{THREE}-us-east-1", "no shard of the fleet"),
        (f"{TWO}-us-esat-1", "did you mean us-east-1"),
        ("us-east-1", "no account id"),
        (TWO, "no Region"),
    ],
)
async def test_a_shard_that_is_none_of_the_fleet(shard: str, says: str) -> None:
    settings: dict[str, Any] = {"accounts": (ONE, TWO), "regions": ("us-east-1", "eu-west-1"), "role_name": "x"}
    with pytest.raises(UsageError, match=f"--shard {shard}.*{says.replace('?', '.')}"):
        await resolved(FakeSessions(), shards=(shard,), **settings)
    with pytest.raises(UsageError, match=f"--shard {shard}"):  # beside one that is
        await resolved(FakeSessions(), shards=(f"{ONE}-us-east-1", shard), **settings)


async def test_an_organization_but_for_some_accounts() -> None:
    sessions = FakeSessions(organization={None: [ONE, TWO, THREE]})
    settings: dict[str, Any] = {"organization": True, "role_name": "x", "regions": ("us-east-1",)}
    found = await resolved(sessions, exclude_accounts=(TWO,), **settings)
    assert names(found) == [f"{ONE}-us-east-1", f"{THREE}-us-east-1"]
    with pytest.raises(UsageError, match=f"--exclude-account 222222222223: .*did you mean {TWO}"):
        await resolved(sessions, exclude_accounts=("222222222223",), **settings)
    with pytest.raises(UsageError, match="no shard"):
        await resolved(sessions, exclude_accounts=(ONE, TWO, THREE), **settings)


async def test_an_account_of_two_units_counts_once() -> None:
    sessions = FakeSessions(organization={UNIT: [ONE, TWO], INNER: [TWO]})
    found = await resolved(sessions, ous=(UNIT, INNER), role_name="x", regions=("us-east-1",))
    assert names(found) == [f"{ONE}-us-east-1", f"{TWO}-us-east-1"]


@pytest.mark.parametrize(
    ("sessions", "settings"),
    [
        (FakeSessions(organization=DENIED), {"organization": True, "role_name": "x"}),
        (FakeSessions(accounts={None: DENIED}), {"regions": ("us-east-1",)}),
    ],
)
async def test_credentials_that_all_starts_from_end_it(sessions: FakeSessions, settings: dict[str, Any]) -> None:
    with pytest.raises(AccessError, match="refused"):
        await resolved(sessions, **settings)


async def test_a_file_with_profiles_each_with_its_own_account_and_home(tmp_path: Path) -> None:
    sessions = FakeSessions(
        accounts={"hub": ONE, "own": TWO, "gone": DENIED}, homes={"own": "eu-north-1", "gone": "eu-north-1"}
    )
    found = await resolved_file(
        sessions,
        tmp_path,
        """
        [[shards]]
        regions = ["us-east-1", "eu-west-1"]
        rate = 5
        [[shards]]
        profile = "gone"
        region = "eu-west-1"
        [[shards]]
        profile = "own"
        tags = {stage = "canary"}
        """,
        profile="hub",
    )
    assert names(found) == [f"{ONE}-us-east-1", f"{ONE}-eu-west-1", f"{TWO}-eu-north-1"]
    assert [shard.profile for shard in found.shards] == ["hub", "hub", "own"]
    assert [shard.max_per_second for shard in found.shards] == [5.0, 5.0, None]
    ((shard, problem),) = found.problems
    assert (shard.name, problem.is_access) == ("profile-gone-eu-west-1", True)


async def test_tags_narrow_a_file_before_anybody_is_asked(tmp_path: Path) -> None:
    text = "".join(
        f'[[shards]]\naccount = "{account}"\nregion = "us-east-1"\ntags = {{{tags}}}\n'
        for account, tags in ((ONE, 'stage = "canary"'), (TWO, 'stage = "rest"'), (THREE, 'team = "x"'))
    )
    sessions = FakeSessions()
    canary = await resolved_file(sessions, tmp_path, text, shard_tags=("stage=canary",))
    assert names(canary) == [f"{ONE}-us-east-1"]
    wider = await resolved_file(sessions, tmp_path, text, shard_tags=("stage=rest", "team"))
    assert names(wider) == [f"{TWO}-us-east-1", f"{THREE}-us-east-1"]


async def test_two_ways_into_one_shard_are_refused_where_only_asking_tells(tmp_path: Path) -> None:
    text = f'[[shards]]\naccount = "{ONE}"\nregion = "us-east-1"\n[[shards]]\nprofile = "own"\nregion = "us-east-1"\n'
    with pytest.raises(UsageError, match=rf"shard 2 is shard {ONE}-us-east-1, and so is .*shard 1"):
        await resolved_file(FakeSessions(accounts={"own": ONE}), tmp_path, text)


async def test_a_mistake_that_only_asking_tells_has_its_place(tmp_path: Path) -> None:
    sessions = FakeSessions(accounts={"typo": UsageError("The config profile (typo) could not be found")})
    with pytest.raises(UsageError, match=r"fleet\.toml, shard 1: The config profile"):
        await resolved_file(sessions, tmp_path, '[[shards]]\nprofile = "typo"\nregion = "us-east-1"\n')
