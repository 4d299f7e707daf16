"""Metrics as moto's CloudWatch tells them: plain sums. It answers nothing to expressions, and fails at percentiles."""

from datetime import UTC, datetime, timedelta

import boto3
from moto_account import REGION, MotoAccount

from bulk_esm.aws.session import ConnectionSettings, connect
from bulk_esm.model.measures import MEASURES

pytest_plugins = ("moto_fixtures",)

PLACE = ("123456789012", REGION)
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:orders"


async def test_sums_by_minute(moto: MotoAccount) -> None:
    cloudwatch = boto3.session.Session(region_name=REGION).client("cloudwatch", endpoint_url=moto.endpoint_url)
    last = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    minute = int(last.timestamp() // 60)
    for name, dimensions in (("orders", {}), ("orders", {"Resource": "orders:live"}), ("others", {})):
        cloudwatch.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": metric,
                    "Dimensions": [
                        {"Name": key, "Value": value} for key, value in ({"FunctionName": name} | dimensions).items()
                    ],
                    "Timestamp": last + timedelta(seconds=second),
                    "Value": value,
                }
                for metric, value in (("Errors", 1.0), ("Invocations", 10.0))
                for second in (1, 30, 59, 61)
            ],
        )
    cloudwatch.close()
    queries = MEASURES["errors"].queries(f"{FUNCTION}:live", PLACE)
    async with connect(ConnectionSettings()) as connection:
        found = await connection.metrics(queries, since=minute - 2, until=minute + 2)
    assert [found[query] for query in queries] == [{minute: 3, minute + 1: 1}, {minute: 30, minute + 1: 10}]
