"""STS, outside Lambda's quota: whose credentials they are (GetCallerIdentity), and others' for them (AssumeRole).

It is the query protocol: a form on POST /, answered in XML, and so are its errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final
from urllib.parse import parse_qsl

from bulk_esm.simulator import errors
from bulk_esm.simulator.errors import ApiError
from bulk_esm.simulator.shard import Shard

SERVICE: Final = "sts"  # what a request to it is signed for
CONTENT_TYPE: Final = "text/xml"

_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"
_CODES: Final = {  # Lambda's name of it, and STS's
    "AccessDeniedException": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "ValidationException": "ValidationError",
}
_ROLE_ARN: Final = re.compile(r"arn:([\w-]+):iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]+)")
_HOUR_S: Final = 3600


def form(body: bytes) -> dict[str, str]:
    """A request's fields, `Action` among them; none if it is no form.

    Args:
        body: the request's body.
    """
    try:
        return dict(parse_qsl(body.decode()))
    except ValueError:  # not UTF-8, or too many fields
        return {}


def caller_identity(shard: Shard, request_id: str) -> bytes:
    """Answer GetCallerIdentity.

    Args:
        shard: the caller's account and Region.
        request_id: the request's.
    """
    return _answer(
        "GetCallerIdentity",
        f"<Arn>arn:{shard.partition}:iam::{shard.account_id}:user/simulated</Arn><UserId>AIDASIMULATED</UserId>"
        f"<Account>{shard.account_id}</Account>",
        request_id,
    )


def assumed_role(fields: Mapping[str, str], request_id: str) -> bytes:
    """Answer AssumeRole: every role can be assumed, and the access key id given is the 12 digits of its account.

    Args:
        fields: the request's form.
        request_id: the request's.

    Raises:
        ApiError: no ARN of a role, or no duration.
    """
    role = _ROLE_ARN.fullmatch(fields.get("RoleArn", ""))
    duration = fields.get("DurationSeconds", str(_HOUR_S))
    if role is None or not duration.isdecimal():
        raise errors.validation([f"{fields.get('RoleArn', '')} is invalid"])
    partition, account_id, name = role.groups()
    session = escape(fields.get("RoleSessionName", ""))
    # In real time, not virtual: it is the SDK that compares it with the clock.
    expires_at = datetime.now(UTC) + timedelta(seconds=int(duration))
    return _answer(
        "AssumeRole",
        f"<AssumedRoleUser><Arn>arn:{partition}:sts::{account_id}:assumed-role/{name}/{session}</Arn>"
        f"<AssumedRoleId>AROASIMULATED:{session}</AssumedRoleId></AssumedRoleUser><Credentials>"
        f"<AccessKeyId>{account_id}</AccessKeyId><SecretAccessKey>simulated</SecretAccessKey>"
        f"<SessionToken>simulated</SessionToken><Expiration>{expires_at:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>",
        request_id,
    )


def failure(error: ApiError, request_id: str) -> bytes:
    """Spell an error as STS does.

    Args:
        error: what went wrong.
        request_id: the request's.
    """
    message = str(error.body.get("message") or error.body.get("Message") or "")
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type>'
        f"<Code>{_CODES.get(error.code, error.code)}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>\n"
    ).encode()


def _answer(action: str, result: str, request_id: str) -> bytes:
    return (
        f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>\n"
    ).encode()
