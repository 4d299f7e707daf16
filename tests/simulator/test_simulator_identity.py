from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
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
            await client.assume_role(RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="<&>")
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
