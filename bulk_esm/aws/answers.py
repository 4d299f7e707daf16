"""Lambda's answers before botocore parses them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from botocore.parsers import ResponseParserError

_MOST_SHOWN: Final = 500  # bytes of an error that is not Lambda's
_NO_JSON: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class DamagedAnswer(ResponseParserError):  # type: ignore[misc]  # noqa: N818 - untyped; it is a code in results
    """A success whose body is no object of JSON."""


class _Fault(msgspec.Struct):
    """The members of an error's body that botocore reads."""

    type_: str | None = msgspec.field(name="__type", default=None)
    code: str | None = None
    Code: str | None = None
    Type: str | None = None
    message: str | None = None
    Message: str | None = None


def keep_as_sent(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take an answer's JSON as it came: botocore's parser drops the members that its model does not know.

    Called by botocore before it parses. An error whose body is not of Lambda's form is made one.

    Args:
        response_dict: the answer; its body is replaced.
        customized_response_dict: what the answer comes to.

    Raises:
        DamagedAnswer: a success is no object of JSON.
    """
    if response_dict["status_code"] < 300:  # noqa: PLR2004 - HTTP's success
        try:
            customized_response_dict.update(msgspec.json.decode(response_dict["body"] or b"{}", type=dict[str, Any]))
        except _NO_JSON as error:
            raise DamagedAnswer(f"the answer is no JSON: {error}") from error
        response_dict["body"] = b"{}"  # parsed: once is enough
        return
    try:
        msgspec.json.decode(response_dict["body"] or b"{}", type=_Fault)
    except _NO_JSON:
        # A proxy's page, or no text at all: botocore's parser takes what is JSON to be of the right types.
        shown = response_dict["body"][:_MOST_SHOWN].decode("utf-8", "replace")
        response_dict["body"] = msgspec.json.encode({"message": shown})
