"""What fuzzing found, each by its smallest case."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fuzz_command import ACCOUNT, Ended, Service, command

from bulk_esm.simulator.api import Answer
from bulk_esm.simulator.routes import Request


def answered(
    home: Path, arguments: tuple[str, ...], is_meant: Callable[[Request], bool], body: bytes, status: int = 200
) -> tuple[Ended, Service]:
    """A command of whose requests some are answered so."""
    service = Service.of_size(2)

    def answer(request: Request, found: Answer) -> Answer:
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        return Answer(status=status, headers=headers, body=body) if is_meant(request) else found

    service.answered = answer
    return command(service, *arguments, home=home), service


def of_target(name: str) -> Callable[[Request], bool]:
    return lambda request: request.headers.get("x-amz-target", "").endswith(f".{name}")


def of_list(request: Request) -> bool:
    return request.path.rstrip("/").endswith("event-source-mappings")


def a_mapping(**members: Any) -> dict[str, Any]:
    [found, *_] = Service.of_size(2).mappings((ACCOUNT, "us-east-1")).values()
    return found | members


def nested(depth: int) -> Any:
    return json.loads('{"a":' * depth + "1" + "}" * depth)


# Answers of other types, at any depth

OF_OTHER_TYPES: list[dict[str, Any]] = [
    {"SourceAccessConfigurations": "x"},
    {"SourceAccessConfigurations": [1]},
    {"SourceAccessConfigurations": [{"Type": []}]},
    {"SourceAccessConfigurations": [None]},
    {"FilterCriteria": []},
    {"FilterCriteria": {"Filters": "x"}},
    {"FilterCriteria": {"Filters": [1]}},
    {"DestinationConfig": {"OnFailure": "x"}},
    {"ProvisionedPollerConfig": 5},
    {"BatchSize": "5"},
    {"Topics": {"a": 1}},
    {"Invented": nested(200)},
]


@pytest.mark.parametrize("members", OF_OTHER_TYPES, ids=str)
@pytest.mark.parametrize(
    "arguments", [("pause",), ("apply", "--unset", "SourceAccessConfigurations", "--set", "FilterCriteria={}")], ids=str
)
def test_a_page_with_a_member_of_another_type(
    members: dict[str, Any], arguments: tuple[str, ...], tmp_path: Path
) -> None:
    page = msgspec.json.encode({"EventSourceMappings": [a_mapping(**members)], "NextMarker": None})
    done, service = answered(tmp_path, (*arguments, "--all", "--yes"), of_list, page)
    assert (done.code, done.fault, service.updates) == (2, None, 0)
    assert "DamagedAnswer: ListEventSourceMappings answered with what is no answer: " in done.stderr


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_answer_about_one_mapping_with_a_member_of_another_type(method: str, tmp_path: Path) -> None:
    body = msgspec.json.encode(a_mapping(SourceAccessConfigurations=[1], State="Enabling"))
    done, _ = answered(
        tmp_path,
        ("pause", "--all", "--yes"),
        lambda one: one.method == method and not of_list(one),
        body,
    )
    assert done.fault is None
    assert done.code in {0, 1}  # what became of it is seen by List, or not known
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({one["uuid"] for one in results}) == len(results) == 2


SERVICES: list[tuple[tuple[str, ...], str, list[Any]]] = [
    (
        ("list", "--tag", "a"),
        "GetResources",
        [
            [],
            1,
            {"ResourceTagMappingList": [1]},
            {"ResourceTagMappingList": {"a": 1}},
            {"ResourceTagMappingList": [{}]},
        ],
    ),
    (
        ("list", "--organization", "--role-name", "r", "--regions", "us-east-1"),
        "ListAccounts",
        [[], {"Accounts": [1]}, {"Accounts": "x"}, {"Accounts": [{"Id": 5, "Status": "ACTIVE"}]}, {}],
    ),
    (
        ("pause", "--all", "--yes", "--waves", "1,100%", "--alarm", "a"),
        "DescribeAlarms",
        [[], {"MetricAlarms": "x"}, {"MetricAlarms": [{"AlarmName": "a", "StateValue": 5}]}, {"MetricAlarms": [{}]}],
    ),
]


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("arguments", "target", "body"),
    [(arguments, target, body) for arguments, target, bodies in SERVICES for body in bodies],
    ids=str,
)
def test_another_service_that_answers_with_other_types(
    arguments: tuple[str, ...], target: str, body: Any, status: int, tmp_path: Path
) -> None:
    done, service = answered(tmp_path, arguments, of_target(target), msgspec.json.encode(body), status)
    assert (done.code, done.fault, service.updates) == (2, None, 0)
    assert len(done.stderr) < 1000


def test_units_that_contain_each_other_are_gone_through_once(tmp_path: Path) -> None:
    service = Service.of_size(1)
    bodies = {
        "ListAccountsForParent": {"Accounts": [{"Id": ACCOUNT, "Status": "ACTIVE"}]},
        "ListOrganizationalUnitsForParent": {"OrganizationalUnits": [{"Id": "ou-ab12-34cd56ef"}, {"Id": "ou-ab12-2"}]},
    }
    service.answered = lambda request, found: next(
        (
            Answer(status=200, headers={}, body=msgspec.json.encode(body))
            for name, body in bodies.items()
            if of_target(name)(request)
        ),
        found,
    )
    done = command(
        service, "list", "--ou", "ou-ab12-34cd56ef", "--role-name", "r", "--regions", "us-east-1", home=tmp_path
    )
    assert done.fault is None
    assert sum(method == "POST" for method, _ in service.requests) < 10


def test_a_role_that_comes_without_credentials(tmp_path: Path) -> None:
    xml = b"<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"
    arguments = ("list", "--accounts", "222222222222", "--role-name", "r", "--regions", "us-east-1")
    done, _ = answered(tmp_path, arguments, lambda one: b"Action=AssumeRole" in one.body, xml)
    assert done.fault is None
    assert "STS answered without" in done.stderr
