"""botocore's errors become ours here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.exceptions as botocore_errors
from botocore.parsers import ResponseParserError

from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.errors import AccessError, BulkEsmError, DeniedError, NoCredentialsError, ServiceError, UsageError

# Nothing was sent: the connection did not come about.
_NOT_SENT = (
    botocore_errors.EndpointConnectionError,
    botocore_errors.ConnectTimeoutError,
    botocore_errors.ProxyConnectionError,
    botocore_errors.SSLError,
)
# The session's sources of credentials failed before anything could be signed.
_NO_CREDENTIALS = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.MetadataRetrievalError,
    botocore_errors.NoAuthTokenError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.SSOError,
    botocore_errors.UnauthorizedSSOTokenError,
    botocore_errors.InvalidConfigError,
    botocore_errors.ConfigNotFound,
    botocore_errors.InfiniteLoopConfigError,
)

# Settings from which no client can be made.
_CONFIGURATION = (
    botocore_errors.ConfigParseError,
    botocore_errors.ProfileNotFound,
    botocore_errors.NoRegionError,
    botocore_errors.InvalidRegionError,
    botocore_errors.InvalidEndpointConfigurationError,
)

# The connection broke, or what came is no answer.
_NO_ANSWER = (
    botocore_errors.BotoCoreError,
    ResponseParserError,
    OSError,
    TimeoutError,
)
# Good credentials that a policy does not let: the first is Lambda's, the second that of older services.
_NOT_PERMITTED = frozenset({"AccessDeniedException", "AccessDenied"})


@contextmanager
def translated(action: str, *, whose: str | None = None) -> Iterator[None]:
    """Turn what botocore raises into our errors.

    Args:
        action: the IAM action of the call, for the message, such as `lambda:UpdateEventSourceMapping`.
        whose: where the credentials come from, such as a profile, for whoever has to see to them; None if nobody knows.

    Raises:
        AccessError: no credentials, or credentials that are refused.
        DeniedError: good credentials that may not do this.
        ServiceError: any other answer that is not success, or none.
        UsageError: a configuration from which no client can be made.
    """
    try:
        yield
    except botocore_errors.ClientError as error:
        answer = _service_error(error.response)
        if treatment_of(answer) is Treatment.DENIED:
            raise _refused(answer, action, whose) from error
        raise answer from error
    except _NO_CREDENTIALS as error:
        raise NoCredentialsError(f"no usable credentials: {error}; set a profile or log in again") from error
    except _CONFIGURATION as error:
        raise _of_configuration(error) from error
    except botocore_errors.ParamValidationError as error:
        raise ServiceError(code="ParamValidation", message=str(error), status=400, sent=False) from error
    except _NOT_SENT as error:
        by_proxy = isinstance(error, botocore_errors.ProxyConnectionError)
        which = "the proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)" if by_proxy else "the network, the Region"
        what = f"{error}; check {which} and --endpoint-url"
        raise ServiceError(code=type(error).__name__, message=what, sent=False) from error
    except _NO_ANSWER as error:
        raise ServiceError(code=type(error).__name__, message=str(error) or "the connection failed") from error


def _refused(answer: ServiceError, action: str, whose: str | None) -> AccessError:
    of = "" if whose is None else f" of {whose}"
    what = f"{action} was refused ({answer}); check the credentials{of} and their permissions"
    if answer.code in _NOT_PERMITTED:
        return DeniedError(what, action=action, said=answer.message, request_id=answer.request_id)
    return AccessError(what)


def _of_configuration(error: Exception) -> BulkEsmError:
    """What to say of settings from which no client can be made."""
    match error:
        case botocore_errors.ConfigParseError():
            return _not_read(error)
        case botocore_errors.ProfileNotFound():
            return UsageError(f"{error}; see --profile and AWS_PROFILE")
        case botocore_errors.NoRegionError() | botocore_errors.InvalidRegionError():
            return UsageError(f"{error}; see --region and AWS_REGION")
    return UsageError(str(error))


def _not_read(error: botocore_errors.ConfigParseError) -> BulkEsmError:
    """What to say of a file that is none, but for what stands in it: that may be a secret."""
    path, cause = error.kwargs.get("path"), error.kwargs.get("error")
    lines = [line for line, _ in getattr(cause, "errors", ())] or [getattr(cause, "lineno", None)]
    what = f"{path} cannot be read as the AWS CLI's{'' if lines[0] is None else f': see line {lines[0]}'}"
    named = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    if str(path) == os.path.expanduser(os.path.expandvars(named)):  # noqa: PTH111 - as botocore does
        return NoCredentialsError(f"no usable credentials: {what}; mend it, or see AWS_SHARED_CREDENTIALS_FILE")
    return UsageError(f"{what}; mend it, or see AWS_CONFIG_FILE, --profile and AWS_PROFILE")


def _service_error(response: dict[str, Any]) -> ServiceError:
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    return ServiceError(
        code=error.get("Code") or "Unknown",
        # Lambda writes `message` or `Message`, by error (F§3.4); botocore knows only one of them for each.
        message=error.get("Message") or response.get("message") or response.get("Message") or "no message",
        status=int(metadata.get("HTTPStatusCode") or 0),
        request_id=metadata.get("RequestId"),
        retry_after_s=_seconds(metadata.get("HTTPHeaders", {}).get("retry-after")),
    )


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:  # the header's other form, a date, has not been seen from Lambda
        return None
