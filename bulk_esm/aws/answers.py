"""What is believed of an answer: that it is of the form that the service's own model says, at every depth."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiobotocore.parsers import AioResponseParserFactory
from botocore.parsers import ResponseParserError

from bulk_esm.errors import ServiceError
from bulk_esm.model.api_types import check_answer, type_of

_MOST_SHOWN: Final = 500  # bytes of an error that is not Lambda's
_TAKEN: Final = b"{}"  # the body of an answer that was taken as it came: nothing is left to parse
_objects: Final = msgspec.json.Decoder(dict[str, Any])


class _Fault(msgspec.Struct):
    """The members of an error's body that botocore reads."""

    type_: str | None = msgspec.field(name="__type", default=None)
    code: str | None = None
    Code: str | None = None
    Type: str | None = None
    message: str | None = None
    Message: str | None = None


def keep_as_sent(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], operation_model: Any, **_: Any
) -> None:
    """Take an answer's JSON as it came: botocore's parser drops the members that its model does not know.

    Called by botocore before it parses an answer of Lambda's. An error whose body is not of Lambda's form is made one.

    Args:
        response_dict: the answer; its body is replaced.
        customized_response_dict: what the answer comes to.
        operation_model: botocore's, of what was asked.

    Raises:
        ServiceError: half an answer, which another try may mend: it is transient, as is an answer that broke off.
    """
    if response_dict["status_code"] < 300:  # noqa: PLR2004 - HTTP's success
        try:
            answer = _objects.decode(response_dict["body"] or b"{}")
            check_answer(answer, operation_model.output_shape)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors too
            raise _damaged(operation_model.name, error) from error
        customized_response_dict.update(answer)
        response_dict["body"] = _TAKEN
        return
    try:
        msgspec.json.decode(response_dict["body"] or b"{}", type=_Fault)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # A proxy's page, or no text at all: botocore's parser takes what is JSON to be of the right types.
        shown = response_dict["body"][:_MOST_SHOWN].decode("utf-8", "replace")
        response_dict["body"] = msgspec.json.encode({"message": shown})


class Parsers(AioResponseParserFactory):  # type: ignore[misc]  # aiobotocore is untyped
    """Makes botocore's parsers, of which each takes what comes to be of the service's form.

    On anything else they stumble over it, each in its own way: all of these are one error here.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def create_parser(self, protocol_name: str) -> Any:
        """Make the parser of a protocol, which keeps nothing of what it parses: one does for all answers."""
        if protocol_name not in self._made:
            self._made[protocol_name] = self._make(protocol_name)
        return self._made[protocol_name]

    def _make(self, protocol_name: str) -> Any:
        parser = super().create_parser(protocol_name)
        parse = parser.parse

        async def parse_or_refuse(response: dict[str, Any], shape: Any) -> Any:
            try:
                # Without a shape botocore looks for no members, of which it would miss each one by one.
                return await parse(response, None if response["body"] is _TAKEN else shape)
            except ResponseParserError:
                raise
            except Exception as error:
                what = f"HTTP {response['status_code']} with what is no answer ({type(error).__name__})"
                raise ResponseParserError(what) from error

        parser.parse = parse_or_refuse
        return parser


def refuse_damaged(parsed: dict[str, Any], model: Any, http_response: Any, **_: Any) -> None:
    """Refuse an answer of another service than Lambda that is not of the form that its own model says.

    Called by botocore with what it has parsed.

    Raises:
        ServiceError: it is not.
    """
    is_success = http_response.status_code < 300  # noqa: PLR2004 - HTTP's
    if not is_success or model.output_shape is None or model.service_model.service_name == "lambda":
        return
    try:
        msgspec.convert(parsed, type_of(model.output_shape, is_parsed=True))
    except (ValueError, RecursionError) as error:
        raise _damaged(model.name, error) from error


def _damaged(operation: str, error: Exception) -> ServiceError:
    return ServiceError(code="DamagedAnswer", message=f"{operation} answered with what is no answer: {error}")
