from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import aiohttp
import boto3
import pytest
from anyio import to_thread
from botocore.exceptions import ClientError

from bulk_esm.simulator import Faults, Kind, Simulator

Connect = Callable[..., AbstractAsyncContextManager[Any]]


class Clock(Protocol):
    """The fixture's `ManualClock`."""

    now: float

    def __call__(self) -> float: ...


@pytest.mark.parametrize(
    ("account", "region", "arn"),
    [
        ("123456789012", "us-east-1", "arn:aws:iam::123456789012:user/simulated"),
        ("210987654321", "eu-west-1", "arn:aws:iam::210987654321:user/simulated"),
        ("210987654321", "cn-north-1", "arn:aws-cn:iam::210987654321:user/simulated"),
        ("AKIAEXAMPLE", "us-east-1", "arn:aws:iam::123456789012:user/simulated"),
    ],
)
async def test_the_account_is_told_from_the_signature(
    clock: Clock, connect: Connect, account: str, region: str, arn: str
) -> None:
    simulator = Simulator(mappings=2, clock=clock, quota_per_second=0, burst=0)
    async with simulator, connect(simulator, "sts", account=account, region=region) as client:
        answer = await client.get_caller_identity()
    metadata = answer.pop("ResponseMetadata")
    assert answer == {"Account": arn.split(":")[4], "Arn": arn, "UserId": "AIDASIMULATED"}
    assert metadata["RequestId"] == metadata["HTTPHeaders"]["x-amzn-requestid"]
    (count,) = simulator.report().requests
    assert (count.kind, count.status, count.count, count.region) == (Kind.IDENTITY, 200, 1, region)


@pytest.mark.parametrize("role", ["arn:aws:iam::210987654321:role/x", "arn:aws-cn:iam::210987654321:role/path/of/x"])
async def test_an_assumed_role_acts_in_its_account(clock: Clock, connect: Connect, role: str) -> None:
    faults = Faults(denied_accounts=frozenset({"210987654321"}))
    simulator = Simulator(mappings=2, clock=clock, faults=faults)
    async with simulator, connect(simulator, "sts") as client:
        answer = await client.assume_role(RoleArn=role, RoleSessionName="<&>", ExternalId="ticket")
        keys = answer["Credentials"]
        async with connect(simulator, "sts", account=keys["AccessKeyId"]) as other:
            assert (await other.get_caller_identity())["Account"] == "210987654321"
        async with connect(simulator, account=keys["AccessKeyId"]) as other:
            with pytest.raises(ClientError, match="AccessDeniedException"):  # no role's trust policy prevents that
                await other.list_event_source_mappings()
    assert answer["AssumedRoleUser"]["Arn"].endswith(":sts::210987654321:assumed-role/x/<&>")
    assert timedelta(minutes=59) < keys["Expiration"] - datetime.now(UTC) <= timedelta(hours=1)
    assert simulator.report().count(Kind.ROLE, 200) == 1


async def test_a_role_that_is_none(clock: Clock, connect: Connect) -> None:
    async with Simulator(mappings=2, clock=clock) as simulator, connect(simulator, "sts") as client:
        with pytest.raises(ClientError, match=r"ValidationError.*arn:aws:iam::210987654321:user/x is invalid"):
            await client.assume_role(RoleArn="arn:aws:iam::210987654321:user/x", RoleSessionName="me")


async def test_an_account_can_be_broken(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=2, clock=clock, faults=Faults(broken_accounts=frozenset({"210987654321"})))
    async with simulator, connect(simulator, account="210987654321") as broken, connect(simulator) as whole:
        with pytest.raises(ClientError, match="ServiceException") as caught:
            await broken.list_event_source_mappings()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert len((await whole.list_event_source_mappings())["EventSourceMappings"]) == 2


async def test_boto3_understands_it_too(clock: Clock) -> None:
    async with Simulator(mappings=2, clock=clock) as simulator:

        def account() -> str:
            client = boto3.session.Session(
                aws_access_key_id="210987654321", aws_secret_access_key="simulated", region_name="us-east-1"
            ).client("sts", endpoint_url=simulator.endpoint_url)
            try:
                return str(client.get_caller_identity()["Account"])
            finally:
                client.close()

        assert await to_thread.run_sync(account) == "210987654321"


async def test_lambdas_faults_are_not_its_own(clock: Clock, connect: Connect) -> None:
    faults = Faults(error_share=1, denied_accounts=frozenset({"123456789012"}))
    simulator = Simulator(mappings=2, clock=clock, faults=faults)
    async with simulator, connect(simulator, "sts") as client, connect(simulator) as denied:
        assert (await client.get_caller_identity())["Account"] == "123456789012"  # STS denies it to nobody
        with pytest.raises(ClientError, match="AccessDeniedException"):
            await denied.list_event_source_mappings()


async def test_errors_are_spelled_as_sts_spells_them(clock: Clock, connect: Connect) -> None:
    simulator = Simulator(mappings=2, clock=clock, faults=Faults(expires_after_s=10))
    async with simulator, connect(simulator, "sts") as client:
        with pytest.raises(ClientError) as caught:
            await client.get_session_token()
        error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
        assert (metadata["HTTPStatusCode"], error["Code"]) == (404, "UnknownOperationException")
        assert metadata["RequestId"]
        clock.now = 10
        with pytest.raises(ClientError) as caught:
            await client.get_caller_identity()
        assert caught.value.response["Error"] == {
            "Type": "Sender",
            "Code": "ExpiredToken",
            "Message": "The security token included in the request is expired",
        }
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(
    ("service", "method", "body", "status"),
    [
        ("sts", "POST", b"Version=2011-06-15&Action=GetCallerIdentity", 200),
        ("sts", "POST", b"Action=AssumeRole&RoleArn=arn:aws:iam::210987654321:role/x&RoleSessionName=%3C%26%3E", 200),
        ("sts", "POST", b"Action=AssumeRole", 400),
        ("sts", "POST", b"Action=AssumeRole&RoleArn=arn:aws:iam::210987654321:role/x&DurationSeconds=long", 400),
        ("sts", "POST", b"", 404),
        ("sts", "POST", b"\xff", 404),
        ("sts", "PUT", b"Action=GetCallerIdentity", 404),
        ("lambda", "POST", b"Action=GetCallerIdentity", 404),
    ],
)
async def test_what_counts_as_the_question(clock: Clock, service: str, method: str, body: bytes, status: int) -> None:
    credential = f"Credential=123456789012/20260101/us-east-1/{service}/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"}
    async with (
        Simulator(mappings=2, clock=clock) as simulator,
        aiohttp.ClientSession(simulator.endpoint_url) as session,
        session.request(method, "/", data=body, headers=signed) as answer,
    ):
        assert answer.status == status
        assert answer.content_type == ("text/xml" if service == "sts" else "application/json")
