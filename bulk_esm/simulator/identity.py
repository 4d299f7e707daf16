"""STS's GetCallerIdentity: whose credentials they are, outside Lambda's quota.

It is the query protocol: a form on POST /, answered in XML, and so are its errors.
"""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import parse_qs

from bulk_esm.simulator.errors import ApiError
from bulk_esm.simulator.shard import Shard

SERVICE: Final = "sts"  # what a request to it is signed for
CONTENT_TYPE: Final = "text/xml"

_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"
_CODES: Final = {"ExpiredTokenException": "ExpiredToken"}  # Lambda's name of it, and STS's


def is_asked(body: bytes) -> bool:
    """Whether a form asks for the caller's identity.

    Args:
        body: the request's form.
    """
    try:
        return parse_qs(body.decode()).get("Action") == ["GetCallerIdentity"]
    except ValueError:  # not UTF-8, or too many fields: no form of STS
        return False


def caller_identity(shard: Shard, request_id: str) -> bytes:
    """Answer GetCallerIdentity.

    Args:
        shard: the caller's account and Region.
        request_id: the request's.
    """
    return (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>arn:{shard.partition}:iam::{shard.account_id}:user/simulated</Arn><UserId>AIDASIMULATED</UserId>"
        f"<Account>{shard.account_id}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n"
    ).encode()


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
