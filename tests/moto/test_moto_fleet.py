"""Organizations, Regions and assumed roles, as moto has them."""

import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import boto3
import pytest
import pytest_asyncio
from moto_account import ACCOUNT_ID, REGION, MotoAccount, _zipped, create_fleet
from moto_proxy import Proxy, proxy_to

from bulk_esm.aws.regions import known_regions
from bulk_esm.aws.session import Connection, ConnectionSettings, connect
from bulk_esm.aws.sessions import Sessions
from bulk_esm.clock import Clock
from bulk_esm.engine.engine import Engine
from bulk_esm.engine.planning import make_plan
from bulk_esm.engine.settings import EngineSettings
from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.selection import Selection

pytest_plugins = ("moto_fixtures",)
Cli = Callable[..., subprocess.CompletedProcess[str]]
THERE, ELSEWHERE = "210987654321", "333333333333"
ROLE = "OrganizationAccountAccessRole"


class Organization:
    """One with accounts in a tree of units: `apps`, `apps/web`, `apps/web/eu` and `lab`."""

    def __init__(self, client: Any) -> None:
        self._client = client
        client.create_organization(FeatureSet="ALL")
        self.root = client.list_roots()["Roots"][0]["Id"]
        self.apps = self._unit("apps", self.root)
        self.web = self._unit("web", self.apps)
        self.eu = self._unit("eu", self.web)
        self.lab = self._unit("lab", self.root)
        self.in_apps = [self._account(number, self.apps) for number in range(2)]
        self.in_eu = [self._account(number, self.eu) for number in range(2, 25)]  # more than a page of 20
        self.in_lab = [self._account(25, self.lab)]
        self.closed = self._account(26, self.eu)
        client.close_account(AccountId=self.closed)

    def _unit(self, name: str, parent: str) -> str:
        answer = self._client.create_organizational_unit(ParentId=parent, Name=name)
        return str(answer["OrganizationalUnit"]["Id"])

    def _account(self, number: int, parent: str) -> str:
        answer = self._client.create_account(Email=f"a{number}@example.com", AccountName=f"a{number}", RoleName=ROLE)
        account_id = str(answer["CreateAccountStatus"]["AccountId"])
        self._client.move_account(AccountId=account_id, SourceParentId=self.root, DestinationParentId=parent)
        return account_id


@pytest.fixture
def organization(moto: MotoAccount) -> Iterator[Organization]:
    client = boto3.client("organizations", endpoint_url=moto.endpoint_url, region_name="us-east-1")
    yield Organization(client)
    client.close()


@pytest_asyncio.fixture
async def home(moto: MotoAccount) -> AsyncIterator[Connection]:
    async with connect(ConnectionSettings()) as connection:
        yield connection


@pytest_asyncio.fixture
async def proxy(moto: MotoAccount) -> AsyncIterator[Proxy]:
    async with proxy_to(moto.endpoint_url) as opened:
        yield opened


def role_in(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:role/{ROLE}"


def fill(moto: MotoAccount, account_id: str) -> set[str]:
    """Make two mappings in another account, as its role; their UUIDs."""
    sts = boto3.client("sts", endpoint_url=moto.endpoint_url, region_name=REGION)
    keys = sts.assume_role(RoleArn=role_in(account_id), RoleSessionName="filling")["Credentials"]
    sts.close()
    session = boto3.session.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION
    )
    with ExitStack() as stack:
        iam, functions, queues = (
            stack.enter_context(closing(session.client(service, endpoint_url=moto.endpoint_url)))
            for service in ("iam", "lambda", "sqs")
        )
        role = iam.create_role(RoleName="poller", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = {"ZipFile": _zipped("def handle(event, context): pass")}
        functions.create_function(
            FunctionName="orders", Runtime="python3.13", Role=role, Handler="handler.handle", Code=code
        )
        uuids = set()
        for name in ("orders", "returns"):
            queues.create_queue(QueueName=name)
            made = functions.create_event_source_mapping(
                FunctionName="orders", EventSourceArn=f"arn:aws:sqs:{REGION}:{account_id}:{name}"
            )
            uuids.add(made["UUID"])
    return uuids


def in_role(proxy: Proxy, account_id: str, **settings: Any) -> ConnectionSettings:
    return ConnectionSettings(
        region=REGION, role_arn=role_in(account_id), endpoint_url=proxy.url, max_per_second=2_000, **settings
    )


async def test_the_accounts_of_an_organization(home: Connection, organization: Organization) -> None:
    there = organization
    everywhere = [ACCOUNT_ID, *there.in_apps, *there.in_eu, *there.in_lab]
    assert await home.organization_accounts() == sorted(everywhere)
    assert await home.organization_accounts(there.root) == sorted(everywhere)
    assert await home.organization_accounts(there.apps) == sorted(there.in_apps + there.in_eu)
    assert await home.organization_accounts(there.web) == sorted(there.in_eu)
    assert await home.organization_accounts(there.lab) == there.in_lab


@pytest.mark.parametrize("ou", ["ou-abcd-12345678", "nonsense"])
async def test_a_unit_that_is_not_there(home: Connection, organization: Organization, ou: str) -> None:
    with pytest.raises(UsageError, match=f"no organizational unit '{ou}'"):
        await home.organization_accounts(ou)


async def test_the_regions_of_an_account(home: Connection) -> None:
    regions = await home.enabled_regions()
    assert REGION in regions
    assert regions == sorted(regions)
    assert set(regions) <= known_regions()


async def test_a_plan_through_a_role_sees_the_other_account_alone(moto: MotoAccount, proxy: Proxy) -> None:
    here = create_fleet(moto).everything
    there = {account_id: fill(moto, account_id) for account_id in (THERE, ELSEWHERE)}
    sessions, found = Sessions(), {}
    for account_id in there:
        async with sessions.connect(in_role(proxy, account_id, external_id="ticket-42")) as connection:
            assert await connection.account_id() == account_id
            plan = await make_plan(connection, Selection(all=True), Change({"Enabled": False}))
            found[account_id] = {item.uuid for item in plan.items}
    assert found == there
    async with sessions.connect(ConnectionSettings()) as connection:
        assert {mapping.uuid async for page in connection.control_plane.list() for mapping in page} == here
    asked = [(form["RoleArn"], form["ExternalId"], form["DurationSeconds"]) for form in proxy.roles()]
    assert asked == [(role_in(account_id), "ticket-42", "3600") for account_id in there]
    assert all(form["RoleSessionName"].startswith("bulk_esm-") for form in proxy.roles())
    keys = {asked.access_key for asked in proxy.of("sts") if asked.form["Action"] == "AssumeRole"}
    assert keys == {"testing"}  # of the credentials that the environment has


async def test_without_an_external_id_none_is_sent(proxy: Proxy) -> None:
    async with connect(in_role(proxy, THERE)):
        (form,) = proxy.roles()
    assert "ExternalId" not in form


async def test_credentials_that_expire_in_a_run_are_renewed(moto: MotoAccount, proxy: Proxy) -> None:
    """The first two last for a minute, which is within the last eighth of the 15 that were asked for."""
    uuids = fill(moto, THERE)
    proxy.life_s = lambda number: 60 if number < 2 else None
    async with connect(in_role(proxy, THERE, role_duration_s=900)) as connection:
        plan = await make_plan(connection, Selection(all=True), Change({"Enabled": False}))
        results: list[Result] = []
        engine = Engine(
            connection.control_plane, run_id="a-run", account_id=THERE, settings=EngineSettings(), clock=Clock()
        )
        await engine.run(plan.items, results.append)
    assert {result.uuid: result.outcome for result in results} == dict.fromkeys(uuids, Outcome.UPDATED)
    planned_with, *applied_with = [asked.access_key for asked in proxy.of("lambda")]
    assert len(applied_with) > len(uuids)
    assert set(applied_with) == {applied_with[0]}  # as long as they last they are used by all requests
    assert len({"testing", planned_with, applied_with[0]}) == 3
    assert [form["DurationSeconds"] for form in proxy.roles()] == ["900"] * 3


def test_an_organizational_unit_is_paused_and_resumed(moto: MotoAccount, organization: Organization, cli: Cli) -> None:
    """As a user starts it: accounts from Organizations, Regions from EC2, roles from STS, mappings from Lambda."""
    there = {account_id: fill(moto, account_id) for account_id in organization.in_apps}
    unit = ("--ou", organization.apps, *(word for one in organization.in_eu for word in ("--exclude-account", one)))
    role = ("--role-name", ROLE, "--external-id", "ticket-42", "--regions", REGION)
    listed = cli("list", *unit, *role[:-1], "all")
    assert listed.returncode == 0, listed.stderr
    assert {json.loads(line)["uuid"] for line in listed.stdout.splitlines()} == set().union(*there.values())
    assert f"in {2 * len(known_regions_of(moto))} shards" in listed.stderr

    paused = cli("pause", *unit, *role, "--all", "--yes")
    assert paused.returncode == 0, paused.stderr
    results = [json.loads(line) for line in paused.stdout.splitlines()]
    assert {(result["account_id"], result["uuid"], result["outcome"]) for result in results} == {
        (account_id, uuid, "updated") for account_id, uuids in there.items() for uuid in uuids
    }
    resumed = cli("resume", "--run", "last", "--yes")
    assert resumed.returncode == 0, resumed.stderr
    assert len(resumed.stdout.splitlines()) == len(results)
    unknown = cli("pause", "--ou", "ou-abcd-12345678", *role, "--all", "--yes")
    assert unknown.returncode == 2
    assert "no organizational unit" in unknown.stderr


def known_regions_of(moto: MotoAccount) -> list[str]:
    client = boto3.client("ec2", endpoint_url=moto.endpoint_url, region_name=REGION)
    with closing(client):
        return [region["RegionName"] for region in client.describe_regions()["Regions"]]
