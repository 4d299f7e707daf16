"""Lambda's error answers, in its own words where they are on record (F§1.2, F§3.4, F§3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An answer that is not success. The HTTP layer turns it into bytes; nothing else catches it.

    Args:
        status: the HTTP status.
        code: the error code, sent in the header `x-amzn-ErrorType`.
        body: the JSON body. Lambda's shapes disagree on `message` and `Message`, so each constructor below spells it.
        headers: headers of this error's own.
    """

    def __init__(
        self, status: int, code: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {body}")
        self.status = status
        self.code = code
        self.body = body
        self.headers = headers or {}


def invalid(message: str) -> ApiError:
    """400 InvalidParameterValueException."""
    return ApiError(400, "InvalidParameterValueException", {"Type": "User", "message": message})


def validation(violations: list[str]) -> ApiError:
    """400 ValidationException: the request breaks the API's model. It is not modelled and has no `Type` (F§3.5)."""
    count = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected"
    return ApiError(400, "ValidationException", {"message": f"{count}: {'; '.join(violations)}"})


def malformed(message: str) -> ApiError:
    """400 SerializationException: the body is not JSON, or a value has the wrong JSON type."""
    # Guess: both body and texts are what the protocol's other services answer; SDKs never send such a request, and a
    # signed one by hand would tell.
    return ApiError(400, "SerializationException", {"Type": "User", "Message": message})


def not_found() -> ApiError:
    """404 ResourceNotFoundException."""
    return ApiError(
        404, "ResourceNotFoundException", {"Type": "User", "Message": "The resource you requested does not exist."}
    )


def function_not_found(arn: str) -> ApiError:
    """404 ResourceNotFoundException, of a function.

    Args:
        arn: its ARN.
    """
    # Guess: the words are those of AWS's own examples of GetFunction; none was captured.
    return ApiError(404, "ResourceNotFoundException", {"Type": "User", "Message": f"Function not found: {arn}"})


def in_use(verb: str) -> ApiError:
    """400 ResourceInUseException: the mapping is in transition. No Retry-After header comes with it (F§0.2).

    Args:
        verb: what cannot be done meanwhile, "update" or "delete".
    """
    message = f"Cannot {verb} the event source mapping because it is in use."
    return ApiError(400, "ResourceInUseException", {"Type": "User", "Message": message})


def conflict(message: str) -> ApiError:
    """409 ResourceConflictException: another mapping has this source and function already (F§0.2, F§3.4)."""
    return ApiError(409, "ResourceConflictException", {"Type": "User", "message": message})


def throttled(code: str, retry_after_s: int | None) -> ApiError:
    """429 TooManyRequestsException, or 400 ThrottlingException, which `ListFunctions` was seen to answer (F§1.2).

    Args:
        code: which of the two.
        retry_after_s: the `Retry-After` header, in seconds; None for none.
    """
    # Guess: Lambda's control plane sends no Retry-After, unless a fault says so; no 429 with its headers was captured
    # (F§1.2).
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if code == "ThrottlingException":
        return ApiError(400, code, {"message": "Rate exceeded"}, headers)
    return ApiError(
        429, code, {"Reason": "CallerRateLimitExceeded", "Type": "User", "message": "Rate exceeded"}, headers
    )


def server_error() -> ApiError:
    """500 ServiceException."""
    # Guess: the text is ours, and `Message` is spelt as in the API's model; no 500 was captured (F§3.5).
    return ApiError(500, "ServiceException", {"Type": "Service", "Message": "An internal error occurred."})


def unsigned() -> ApiError:
    """403 MissingAuthenticationTokenException."""
    # Guess: refusals of the signature itself say `message`; only AccessDenied's body was captured, with a capital
    # `Message` (F§0.2), and a request without a signature would tell.
    return ApiError(403, "MissingAuthenticationTokenException", {"message": "Missing Authentication Token"})


def expired() -> ApiError:
    """403 ExpiredTokenException."""
    # Guess: its body spells `message` like the API gateway's other refusals; no expired token's answer was captured,
    # and any expired session would tell.
    message = "The security token included in the request is expired"
    return ApiError(403, "ExpiredTokenException", {"message": message})


def denied(account_id: str, action: str, resource: str | None = None) -> ApiError:
    """403 AccessDeniedException: `Message` has a capital, and there is no `Type` (F§0.2).

    Args:
        account_id: the caller's account.
        action: the IAM action, such as `lambda:ListEventSourceMappings`.
        resource: the ARN of the mapping, where one is meant.
    """
    user = f"arn:aws:iam::{account_id}:user/simulated"
    what = f"{action} on resource: {resource}" if resource else action
    why = f"because no identity-based policy allows the {action} action"
    message = f"User: {user} is not authorized to perform: {what} {why}"
    return ApiError(403, "AccessDeniedException", {"Message": message})


def unknown_operation(method: str, path: str) -> ApiError:
    """404: the simulator does not speak this operation."""
    message = f"The simulator has no operation {method} {path}: see bulk_esm.simulator.Simulator for those that it has"
    return ApiError(404, "UnknownOperationException", {"message": message})
