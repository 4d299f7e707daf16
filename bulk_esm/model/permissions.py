"""Which IAM actions a job needs, by its flags; and a policy that allows them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec

LIST: Final = "lambda:ListEventSourceMappings"
GET: Final = "lambda:GetEventSourceMapping"
UPDATE: Final = "lambda:UpdateEventSourceMapping"
TAGS: Final = "tag:GetResources"
ALARMS: Final = "cloudwatch:DescribeAlarms"
CALENDARS: Final = "ssm:GetCalendarState"
ASSUME: Final = "sts:AssumeRole"
REGIONS: Final = "ec2:DescribeRegions"
ACCOUNTS: Final = "organizations:ListAccounts"
METRIC_DATA: Final = "cloudwatch:GetMetricData"
QUOTA: Final = "servicequotas:GetServiceQuota"


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """IAM actions that some flags need.

    Attributes:
        actions: the actions.
        flags: which flags; what every run needs has none.
        without: what happens without them.
    """

    actions: tuple[str, ...]
    flags: tuple[str, ...] = ()
    without: str


# docs/doctor.md shows this table.
NEEDS: Final = (
    Need(actions=(LIST,), without="nothing can be read"),
    Need(actions=(GET,), without="runs look with List alone: slower, and what only Get can tell is not known"),
    Need(actions=(UPDATE,), without="nothing can be changed; list, plan and verify work"),
    Need(actions=(TAGS,), flags=("--tag", "--function-tag"), without="nothing can be selected by tags"),
    Need(actions=(ALARMS,), flags=("--alarm", "--shard-alarm"), without="the run is refused before anything is sent"),
    Need(actions=(CALENDARS,), flags=("--calendar",), without="the run is refused before anything is sent"),
    Need(actions=(ASSUME,), flags=("--role-name", "--role-arn"), without="the accounts cannot be reached"),
    Need(actions=(REGIONS,), flags=("--regions all",), without="nobody can tell which Regions are meant"),
    Need(
        actions=(ACCOUNTS, "organizations:ListAccountsForParent", "organizations:ListOrganizationalUnitsForParent"),
        flags=("--organization", "--ou"),
        without="nobody can tell which accounts are meant",
    ),
    Need(
        actions=("s3:GetObject", "s3:PutObject", "s3:ListBucket"),
        flags=("--runs-dir s3://BUCKET/PREFIX",),
        without="no run can be kept there",
    ),
    Need(
        actions=("s3:DeleteObject",),
        flags=("--runs-dir s3://BUCKET/PREFIX",),
        without="segments of results stay there beside the whole",
    ),
    Need(
        actions=(METRIC_DATA, QUOTA),
        flags=("--watch", "--rate auto"),
        without="what is watched is refused before anything is sent; nobody can tell what others use: 12 requests/s",
    ),
    Need(
        actions=("cloudwatch:ListMetrics",),
        flags=("--rate auto",),
        without="nobody can tell what others use: 12 requests/s",
    ),
)


def without(action: str) -> str:
    """What happens without an action.

    Args:
        action: one of the table.
    """
    return next(need.without for need in NEEDS if action in need.actions)


def policy(actions: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """An IAM policy that allows some actions, to be pasted.

    Args:
        actions: each with a resource.
    """
    resources: dict[str, list[str]] = defaultdict(list)
    for action, resource in sorted(actions):
        resources[action].append(resource)
    by_resources: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for action, found in resources.items():
        by_resources[tuple(found)].append(action)
    statements = [
        {"Effect": "Allow", "Action": alike, "Resource": list(on) if len(on) > 1 else on[0]}
        for on, alike in by_resources.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}
