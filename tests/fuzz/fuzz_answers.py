"""Commands whose requests are answered by what no service says: other types at any depth, other statuses, no text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
from fuzz_command import ACCOUNT, Ended, Service, command
from fuzz_mutations import BYTES, TEXTS, encoded, mutated, mutated_json, swapped
from fuzz_readers import A_MAPPING

from bulk_esm.simulator.api import Answer
from bulk_esm.simulator.routes import Request

_YES: Final = ("--yes", "--skip-blocked")
COMMANDS: Final[tuple[tuple[str, ...], ...]] = (
    ("list",),
    ("list", "--output", "csv", "--where", "BatchSize > `1`"),
    ("list", "--output", "table", "--tag", "stage", "--function-tag", "team=a"),
    ("pause", "--all", *_YES),
    ("apply", "--all", "--set", "BatchSize=5", "--unset", "FilterCriteria", *_YES),
    ("apply", "--all", "--set", "ProvisionedPollerConfig.MaximumPollers=3", "--on-halt", "rollback", *_YES),
    ("apply", "--all", "--unset", "SourceAccessConfigurations", "--unset", "DestinationConfig", *_YES),
    ("pause", "--all", "--waves", "1,100%", "--alarm", "a,b", *_YES),
    ("list", "--organization", "--role-name", "r"),
    ("list", "--ou", "ou-ab12-34cd56ef", "--role-name", "r", "--regions", "all"),
    ("list", "--accounts", f"{ACCOUNT},222222222222", "--role-name", "r", "--regions", "us-east-1"),
)
_BODIES_OF_ERRORS: Final = (
    {"message": "no", "Type": "User"},
    {"Message": "no", "Code": "TooManyRequestsException", "Reason": "CallerRateLimitExceeded", "retryAfterSeconds": 1},
    {"__type": "x#AccessDeniedException", "message": "no"},
)
_HEADERS: Final = ("x-amzn-ErrorType", "Retry-After", "x-amzn-RequestId", "Content-Type", "Location")
_STATUSES: Final = (200, 202, 204, 299, 301, 307, 400, 403, 404, 407, 409, 429, 500, 503, 999)
_ACCOUNTS: Final = [{"Id": ACCOUNT, "Status": "ACTIVE"}, {"Id": "222222222222", "State": "ACTIVE"}]
_OTHERS: Final[dict[str, Any]] = {
    "ListAccounts": {"Accounts": _ACCOUNTS},
    "ListAccountsForParent": {"Accounts": _ACCOUNTS},
    "ListOrganizationalUnitsForParent": {"OrganizationalUnits": []},
    "DescribeAlarms": {
        "MetricAlarms": [{"AlarmName": "a,b", "StateValue": "OK", "StateReason": "r", "StateUpdatedTimestamp": 1.5}],
        "CompositeAlarms": [],
    },
    "GetResources": {"ResourceTagMappingList": [{"ResourceARN": "arn:x", "Tags": [{"Key": "stage", "Value": "b"}]}]},
}
_REGIONS: Final = (
    b'<?xml version="1.0"?><DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><regionInfo>'
    b"<item><regionName>us-east-1</regionName><optInStatus>opt-in-not-required</optInStatus></item></regionInfo>"
    b"</DescribeRegionsResponse>"
)


def trial(random: Random, home: Path) -> tuple[str, Ended]:
    """Run a command, of whose requests some are answered by chance.

    Returns:
        The command line and what is wrong with an answer, and what the command left behind.
    """
    service = Service.of_size(random.choice((1, 3)))
    from_request = random.randrange(6)
    how_many = random.choice((1, 1, 3, 1000))
    does = random.choice(_ACCIDENTS)

    def answered(request: Request, found: Answer) -> Answer:
        found = _of_others(request, found)
        number = len(service.requests) - 1
        return does(found, random) if from_request <= number < from_request + how_many else found

    service.answered = answered
    arguments = random.choice(COMMANDS)
    return f"{' '.join(arguments)}: {does.__name__} from request {from_request}, {how_many}", command(
        service, *arguments, home=home
    )


def _of_others(request: Request, found: Answer) -> Answer:
    """What the simulator does not know."""
    name = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if name in _OTHERS:
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        return Answer(status=200, headers=headers, body=msgspec.json.encode(_OTHERS[name]))
    if b"Action=DescribeRegions" in request.body:
        return Answer(status=200, headers={"Content-Type": "text/xml"}, body=_REGIONS)
    return found


_Accident = Callable[[Answer, Random], Answer]


def _other_types(found: Answer, random: Random) -> Answer:
    return msgspec.structs.replace(found, body=mutated_json(found.body, random))


def _one_mapping_of_other_types(found: Answer, random: Random) -> Answer:
    """A mapping with every member there is, of which some are of other types."""
    mapping = A_MAPPING
    for _ in range(random.choice((1, 2, 4))):
        mapping = swapped(mapping, random)
    value = {"EventSourceMappings": [mapping]} if b"EventSourceMappings" in found.body else mapping
    return msgspec.structs.replace(found, body=encoded(value, random))


def _other_bytes(found: Answer, random: Random) -> Answer:
    return msgspec.structs.replace(found, body=mutated(found.body, random))


def _an_error(_: Answer, random: Random) -> Answer:
    body = encoded(random.choice(_BODIES_OF_ERRORS), random)
    return Answer(status=random.choice(_STATUSES), headers=_headers(random), body=random.choice(_WAYS)(body, random))


def _other_headers(found: Answer, random: Random) -> Answer:
    return msgspec.structs.replace(found, headers={**found.headers, **_headers(random)})


def _headers(random: Random) -> dict[str, str]:
    values = (
        "inf",
        "nan",
        "1e9",
        "-1",
        "AccessDeniedException",
        "ResourceInUseException",
        "\udcff",
        "application/json",
    )
    return {name: random.choice((*values, *TEXTS)) for name in _HEADERS if random.random() < 0.4}


def _broken(found: Answer, _: Random) -> Answer:
    return msgspec.structs.replace(found, cut=True)


def _no_answer_at_all(_: Answer, random: Random) -> Answer:
    return Answer(status=200, headers={}, body=random.choice((b"", b"null", b"[]", b"0", b"<html>", *BYTES)))


_WAYS: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (mutated_json, mutated, lambda body, _: body)
_ACCIDENTS: Final[tuple[_Accident, ...]] = (
    _other_types,
    _other_types,
    _one_mapping_of_other_types,
    _one_mapping_of_other_types,
    _other_bytes,
    _an_error,
    _other_headers,
    _broken,
    _no_answer_at_all,
)
