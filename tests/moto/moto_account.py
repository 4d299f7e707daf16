"""An account in moto, filled and looked at with boto3: what tests compare our own client with."""

import io
import urllib.request
import zipfile
from dataclasses import dataclass
from typing import Any

import boto3

from bulk_esm import MappingEnded, Observer, Plan, Result, RunEvent, RunPlan

REGION = "eu-west-1"
ACCOUNT_ID = "123456789012"  # moto's, whatever the credentials are
UNKNOWN_UUID = "00000000-0000-4000-8000-000000000000"


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}"


def stream_arn(name: str) -> str:
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT_ID}:stream/{name}"


def into(results: list[Result]) -> Observer:
    """An observer that collects results."""

    def observe(event: RunEvent) -> None:
        if isinstance(event, MappingEnded):
            results.append(event.result)

    return observe


def planned(plan: RunPlan) -> Plan:
    """The plan of the home shard."""
    return Plan(tuple(plan.items()))


class MotoAccount:
    """The account and Region that moto's server at `endpoint_url` holds."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        session = boto3.session.Session(
            aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION
        )
        self._clients = {
            service: session.client(service, endpoint_url=endpoint_url)
            for service in ("iam", "lambda", "sqs", "kinesis", "dynamodb")
        }
        self.lambda_: Any = self._clients["lambda"]
        self._role = ""

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def reset(self) -> None:
        request = urllib.request.Request(f"{self.endpoint_url}/moto-api/reset", method="POST")  # noqa: S310 - http
        with urllib.request.urlopen(request):  # noqa: S310 - our own URL
            pass
        role = self._clients["iam"].create_role(RoleName="poller", AssumeRolePolicyDocument="{}")
        self._role = role["Role"]["Arn"]

    def create_function(self, name: str, **tags: str) -> None:
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self._role,
            Handler="handler.handle",
            Code={"ZipFile": _zipped("def handle(event, context): pass")},
            Tags=tags,
        )

    def create_queue(self, name: str) -> str:
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        self._clients["sqs"].create_queue(QueueName=name, Attributes=fifo)
        return queue_arn(name)

    def create_stream(self, name: str) -> str:
        self._clients["kinesis"].create_stream(StreamName=name, ShardCount=1)
        return stream_arn(name)

    def create_table(self, name: str) -> str:
        """Make a table with a stream; the stream's ARN ends in a time."""
        table = self._clients["dynamodb"].create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        return str(table["TableDescription"]["LatestStreamArn"])

    def create_mapping(self, function: str, source_arn: str, **parameters: Any) -> str:
        created = self.lambda_.create_event_source_mapping(
            FunctionName=function, EventSourceArn=source_arn, **parameters
        )
        return str(created["UUID"])

    def update(self, uuid: str, **parameters: Any) -> None:
        """Be the someone else who changes a mapping behind our back."""
        self.lambda_.update_event_source_mapping(UUID=uuid, **parameters)

    def delete(self, uuid: str) -> None:
        self.lambda_.delete_event_source_mapping(UUID=uuid)

    def read(self) -> dict[str, dict[str, Any]]:
        """Every mapping by UUID."""
        answer = self.lambda_.list_event_source_mappings()
        return {mapping["UUID"]: mapping for mapping in answer["EventSourceMappings"]}

    def get(self, uuid: str, parameter: str) -> Any:
        return self.read()[uuid].get(parameter)

    def states(self) -> dict[str, str]:
        return {uuid: mapping["State"] for uuid, mapping in self.read().items()}


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The UUIDs of six mappings over real sources; two of them are disabled from the start."""

    queue: str
    queue_off: str
    fifo: str
    stream: str
    stream_off: str
    table: str

    @property
    def everything(self) -> set[str]:
        return {*self.enabled, self.queue_off, self.stream_off}

    @property
    def enabled(self) -> set[str]:
        return {self.queue, self.fifo, self.stream, self.table}

    @property
    def streams(self) -> set[str]:
        return {self.stream, self.stream_off, self.table}


def create_fleet(moto: MotoAccount) -> Fleet:
    moto.create_function("orders-api", team="orders", tier="gold")
    moto.create_function("orders-mail", team="orders")
    moto.create_function("billing", team="billing")
    orders, clicks = moto.create_queue("orders"), moto.create_stream("clicks")
    return Fleet(
        queue=moto.create_mapping("orders-api", orders, Tags={"wave": "1"}),
        queue_off=moto.create_mapping("orders-mail", orders, Enabled=False),
        fifo=moto.create_mapping("orders-mail", moto.create_queue("ledger.fifo")),
        stream=moto.create_mapping("billing", clicks, StartingPosition="LATEST", BatchSize=500),
        stream_off=moto.create_mapping("orders-api", clicks, StartingPosition="LATEST", Enabled=False),
        table=moto.create_mapping("billing", moto.create_table("stock"), StartingPosition="LATEST"),
    )


def _zipped(code: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("handler.py", code)
    return file.getvalue()
