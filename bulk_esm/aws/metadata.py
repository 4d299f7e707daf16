"""The services of a container and of an instance, which hand out credentials: kept in their place, and quoted."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiobotocore.utils import _RefCountedSessionMixin

from bulk_esm.aws.barriers import place_of
from bulk_esm.aws.http import HttpSession
from bulk_esm.errors import ServiceError
from bulk_esm.escaping import shortened

_NEEDED: Final = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")


class Said(msgspec.Struct, frozen=True):
    """What a service answered last.

    Attributes:
        text: the answer, in words and without its secrets.
        is_of_metadata: whether it may be such a service at all, and not a portal or a proxy that answers in its place.
    """

    text: str
    is_of_metadata: bool


class _MetadataSession(_RefCountedSessionMixin, HttpSession):  # type: ignore[misc]  # aiobotocore is untyped
    """Remembers the last answer: botocore takes one that is of no use for none."""

    said: Said | None = None

    async def send(self, request: Any) -> Any:
        """Send a request; see `HttpSession`."""
        try:
            response = await super().send(request)
        except ServiceError as error:
            self.said = Said(error.message, is_of_metadata=False)
            raise
        status, path = response.status_code, urlsplit(request.url).path
        what = f"{place_of(request.url)} answered HTTP {status} to {path} with {_form_of(path, await response.content)}"
        self.said = Said(shortened(what), is_of_metadata=status == HTTPStatus.OK)
        return response


def hold_to_their_place(credentials: Any) -> None:
    """Let no source of credentials be redirected: what is answered elsewhere would be what requests are signed with.

    Args:
        credentials: a session's resolver of credentials.
    """
    # aiobotocore has no public way to give these, which it makes itself, another session.
    container, instance = credentials.get_provider("container-role"), credentials.get_provider("iam-role")
    for fetcher in (container._fetcher, instance._role_fetcher):  # noqa: SLF001 - see above
        fetcher._session.__class__ = _MetadataSession  # noqa: SLF001 - likewise


def said_by_instance(credentials: Any) -> Said | None:
    """What the metadata service of an instance answered last; None if nothing did.

    Args:
        credentials: a session's resolver of credentials, held to their place.
    """
    session: _MetadataSession = credentials.get_provider("iam-role")._role_fetcher._session  # noqa: SLF001 - see above
    return session.said


def _form_of(path: str, body: bytes) -> str:
    """What an answer is, without its secrets; of a refusal, what it says."""
    if not body.strip():
        return "nothing"
    if path.endswith("/security-credentials/"):
        return f"the role name {body.decode(errors='replace')!r}"
    return "a token" if path.endswith("/api/token") else _form_of_json(body)


def _form_of_json(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return "what is no JSON"
    if not isinstance(found, dict):
        return "JSON that is no object"
    if found.get("Code", "Success") != "Success":
        return f"{found['Code']}: {found.get('Message', 'it said no more')}"
    lacking = [name for name in _NEEDED if name not in found]
    return f"JSON that lacks {', '.join(lacking)}" if lacking else "credentials"
