"""Requests beside botocore: what its model does not know it would refuse, and leave out of what it serializes."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from bulk_esm.model.api_shape import known, shape_at

_AS_GIVEN: Final = "bulk_esm_as_given"


def send_as_given(client: Any) -> None:
    """Have a Lambda client send updates as they are given, with members that its model does not know.

    Args:
        client: an aiobotocore client.
    """
    client.meta.events.register("provide-client-params.lambda.UpdateEventSourceMapping", _keep_aside)
    client.meta.events.register("before-call.lambda.UpdateEventSourceMapping", _put_back)


def name_host(client: Any) -> None:
    """Have a client's requests name their host, which is part of what is signed.

    botocore takes the URL of each one apart for it, which is a thirtieth of what a request costs in CPU.

    Args:
        client: an aiobotocore client.
    """
    client.meta.events.register(f"before-call.{client.meta.service_model.service_id.hyphenize()}", _name_host)


def leave_retries_to_us(client: Any) -> None:
    """Have botocore ask nobody whether to send again, of a client whose own retries are off.

    Args:
        client: an aiobotocore client.
    """
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")


def resolve_once(client: Any) -> None:
    """Have a Lambda client find out once by operation where requests go: nothing that a call names has a say in it.

    botocore asks its rules for each request anew, which is a thirtieth of what a request costs in CPU.

    Args:
        client: an aiobotocore client.
    """
    resolver = client._ruleset_resolver  # noqa: SLF001 - botocore has no public switch
    resolve = resolver.construct_endpoint
    found: dict[str, Any] = {}

    async def resolve_or_recall(*, operation_model: Any, **asked: Any) -> Any:
        if operation_model.name not in found:
            found[operation_model.name] = await resolve(operation_model=operation_model, **asked)
        return found[operation_model.name]

    resolver.construct_endpoint = resolve_or_recall


def _name_host(params: dict[str, Any], **_: Any) -> None:
    url: str = params["url"]
    params["headers"]["Host"] = _host_of(url[: url.index("/", len("https://"))])


@cache
def _host_of(endpoint: str) -> str:
    """The host as a request's header has it: without the port that the scheme has anyway.

    Args:
        endpoint: scheme, host and port.
    """
    parts = urlsplit(endpoint)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}" if parts.port in {None, 443 if parts.scheme == "https" else 80} else f"{host}:{parts.port}"


def _keep_aside(params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any] | None:
    """Leave to botocore what its model knows, to be checked and serialized as ever."""
    request = {name: value for name, value in params.items() if name != "UUID"}
    of_the_model = {name: known(name, value) for name, value in request.items() if shape_at(name) is not None}
    if of_the_model == request:
        return None
    context[_AS_GIVEN] = request
    return {"UUID": params["UUID"], **of_the_model}


def _put_back(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if _AS_GIVEN in context:
        params["body"] = msgspec.json.encode(context[_AS_GIVEN])
