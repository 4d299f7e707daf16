from typing import Any

import botocore.exceptions as botocore_errors
import pytest

from bulk_esm.aws.errors import translated
from bulk_esm.errors import AccessError, BulkEsmError, ServiceError, UsageError


def translation_of(error: Exception) -> BulkEsmError:
    with pytest.raises(BulkEsmError) as caught, translated("lambda:DoThis"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def client_error(code: str, status: int, headers: dict[str, str] | None = None, **body: Any) -> Exception:
    metadata = {"HTTPStatusCode": status, "RequestId": "the-request", "HTTPHeaders": headers or {}}
    response = {"Error": {"Code": code}, "ResponseMetadata": metadata, **body}
    error: Exception = botocore_errors.ClientError(response, "UpdateEventSourceMapping")
    return error


def test_an_answer_of_lambda_keeps_all_that_it_says() -> None:
    error = translation_of(client_error("ResourceInUseException", 400, Message="it is in use"))
    assert isinstance(error, ServiceError)
    assert (error.code, error.message, error.status) == ("ResourceInUseException", "it is in use", 400)
    assert (error.request_id, error.retry_after_s, error.sent) == ("the-request", None, True)
    assert str(error) == "ResourceInUseException: it is in use"


def test_a_message_in_lower_case_and_none_at_all() -> None:
    assert "lower case" in str(translation_of(client_error("ServiceException", 500, message="lower case")))
    assert str(translation_of(botocore_errors.ClientError({}, "Op"))) == "Unknown: no message"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("", None)],
)
def test_retry_after(header: str, seconds: float | None) -> None:
    error = translation_of(client_error("TooManyRequestsException", 429, {"retry-after": header}))
    assert isinstance(error, ServiceError)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDeniedException", 403), ("ExpiredTokenException", 403), ("ExpiredToken", 400)]
)
def test_a_refusal_of_the_caller(code: str, status: int) -> None:
    error = translation_of(client_error(code, status, message="no such right"))
    assert isinstance(error, AccessError)
    assert "lambda:DoThis was refused" in str(error)
    assert "no such right" in str(error)
    assert "permissions" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.NoCredentialsError(),
        botocore_errors.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        botocore_errors.CredentialRetrievalError(provider="process", error_msg="exit 1"),
        botocore_errors.MetadataRetrievalError(error_msg="no answer"),
        botocore_errors.NoAuthTokenError(),
        botocore_errors.TokenRetrievalError(provider="sso", error_msg="expired"),
        botocore_errors.SSOTokenLoadError(error_msg="none"),
        botocore_errors.UnauthorizedSSOTokenError(),
        botocore_errors.InvalidConfigError(error_msg="source_profile is missing"),
        botocore_errors.ConfigNotFound(path="/nowhere"),
        botocore_errors.InfiniteLoopConfigError(source_profile="a", visited_profiles=["a"]),
    ],
)
def test_credentials_that_cannot_be_had(error: Exception) -> None:
    found = translation_of(error)
    assert isinstance(found, AccessError)
    assert str(found).startswith("no usable credentials: ")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (botocore_errors.ProfileNotFound(profile="x"), "--profile"),
        (botocore_errors.ConfigParseError(path="~/.aws/config"), "--profile"),
        (botocore_errors.NoRegionError(), "--region"),
        (botocore_errors.InvalidRegionError(region_name="x y"), "--region"),
        (botocore_errors.InvalidEndpointConfigurationError(msg="dualstack and an endpoint"), "dualstack"),
    ],
)
def test_a_configuration_without_a_client(error: Exception, hint: str) -> None:
    found = translation_of(error)
    assert isinstance(found, UsageError)
    assert hint in str(found)


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (botocore_errors.EndpointConnectionError(endpoint_url="http://x", error="refused"), False),
        (botocore_errors.ConnectTimeoutError(endpoint_url="http://x"), False),
        (botocore_errors.ProxyConnectionError(proxy_url="http://x"), False),
        (botocore_errors.SSLError(endpoint_url="http://x", error="bad certificate"), False),
        (botocore_errors.ConnectionClosedError(endpoint_url="http://x"), True),
        (botocore_errors.ReadTimeoutError(endpoint_url="http://x"), True),
        (botocore_errors.HTTPClientError(error="what else"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
    ],
)
def test_no_answer(error: Exception, sent: bool) -> None:  # noqa: FBT001 - a parameter of the test
    found = translation_of(error)
    assert isinstance(found, ServiceError)
    assert (found.code, found.status, found.sent) == (type(error).__name__, 0, sent)
    assert found.message


def test_what_botocore_refuses_to_send() -> None:
    error = translation_of(botocore_errors.ParamValidationError(report="BatchSize: not an int"))
    assert isinstance(error, ServiceError)
    assert (error.code, error.status, error.sent) == ("ParamValidation", 400, False)
    assert "BatchSize: not an int" in error.message


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(KeyError), translated("lambda:DoThis"):
        raise KeyError("x")
