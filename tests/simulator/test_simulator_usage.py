"""The quota and who uses it, as SDKs ask the simulator for them; and a service whose clock is another."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from bulk_esm.simulator import Faults, Simulator

MINUTES = 3


def clock_off(ahead_s: float) -> Faults:
    return Faults(clock_ahead_s=max(ahead_s, 0), clock_behind_s=max(-ahead_s, 0))


def client(simulator: Simulator, service: str) -> Any:
    return get_session().create_client(
        service,
        endpoint_url=simulator.endpoint_url,
        region_name=simulator.region,
        aws_access_key_id=simulator.account_id,
        aws_secret_access_key="any",
    )


async def test_the_other_caller_is_seen() -> None:
    async with (
        Simulator(mappings=1, faults=Faults(other_caller_share=0.4)) as simulator,
        client(simulator, "cloudwatch") as cloudwatch,
    ):
        dimensions = [{"Name": "Service", "Value": "Lambda"}, {"Name": "Class"}]
        listed = await cloudwatch.list_metrics(Namespace="AWS/Usage", MetricName="CallCount", Dimensions=dimensions)
        names = [{each["Name"]: each["Value"] for each in metric["Dimensions"]} for metric in listed["Metrics"]]
        assert {"ListFunctions", "Invoke"} < {name["Resource"] for name in names}
        assert {name["Type"] for name in names} == {"API"}
        until = datetime.now(UTC).replace(second=0, microsecond=0)
        answer = await cloudwatch.get_metric_data(
            MetricDataQueries=[
                {"Id": f"m{place}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
                for place, metric in enumerate(listed["Metrics"])
            ],
            StartTime=until - timedelta(minutes=MINUTES),
            EndTime=until,
        )
        values = {
            name["Resource"]: result["Values"] for name, result in zip(names, answer["MetricDataResults"], strict=True)
        }
        assert values["ListFunctions"] == [0.4 * 0.25 * 15 * 60] * MINUTES
        assert answer["MetricDataResults"][0]["Timestamps"][0] == until - timedelta(minutes=1)
        assert (await cloudwatch.list_metrics(Namespace="AWS/Lambda"))["Metrics"] == []


async def test_the_quota_is_told() -> None:
    async with Simulator(mappings=1, quota_per_second=20) as simulator, client(simulator, "service-quotas") as quotas:
        found = await quotas.get_service_quota(ServiceCode="lambda", QuotaCode="L-B2AA0F47")
        assert found["Quota"]["Value"] == 20
        with pytest.raises(ClientError, match="NoSuchResourceException"):
            await quotas.get_service_quota(ServiceCode="lambda", QuotaCode="L-00000000")


@pytest.mark.parametrize("service", ["lambda", "sts"])
@pytest.mark.parametrize(("ahead_s", "what"), [(3600, "Signature expired"), (-3600, "Signature not yet current")])
async def test_a_clock_that_is_an_hour_off(service: str, ahead_s: float, what: str) -> None:
    async with (
        Simulator(mappings=1, faults=clock_off(ahead_s)) as simulator,
        client(simulator, service) as asking,
    ):
        with pytest.raises(ClientError, match=what) as raised:
            await (asking.get_caller_identity() if service == "sts" else asking.list_event_source_mappings())
        answer = raised.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert answer["Error"]["Code"] in {"InvalidSignatureException", "SignatureDoesNotMatch"}
        away = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]) - datetime.now(UTC)
        assert abs(away.total_seconds() - ahead_s) < 600


async def test_a_clock_that_is_a_little_off() -> None:
    async with Simulator(mappings=1, faults=Faults(clock_ahead_s=120)) as simulator, client(simulator, "sts") as sts:
        assert (await sts.get_caller_identity())["Account"] == simulator.account_id
