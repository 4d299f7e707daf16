"""The errors that leave this package; the CLI's exit code is an attribute of each.

Failure of one mapping is data (a `Result`), not an exception. An exception is the caller's mistake, a refusal, or
the end of a whole run. Each message says what happened and what to do next.
"""

from __future__ import annotations


class BulkEsmError(Exception):
    """The root of all errors of this package."""

    exit_code: int = 1


class UsageError(BulkEsmError):
    """What was asked for makes no sense as it stands; nothing was sent."""

    exit_code = 2


class RefusedError(BulkEsmError):
    """What was asked for is clear but not safe; nothing was changed."""

    exit_code = 2


class AccessError(BulkEsmError):
    """No credentials, or credentials that Lambda does not accept: final for the whole account and Region."""

    exit_code = 5


class DeniedError(AccessError):
    """Good credentials, and a policy that does not let them: one action, perhaps on one resource only (F§0.1).

    Attributes:
        action: the IAM action, such as `lambda:UpdateEventSourceMapping`.
        said: the service's own words.
        request_id: the service's request id.
    """

    def __init__(self, message: str, *, action: str, said: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.action = action
        self.said = said
        self.request_id = request_id


class NoCredentialsError(AccessError):
    """This machine has no credentials to begin with; another may."""


class RunFolderError(BulkEsmError):
    """A run folder cannot be found, read or written."""

    exit_code = 2


class UnwritableError(RunFolderError):
    """A file cannot be written on this disk."""


class ForeignRunError(RunFolderError):
    """A run folder is of another user, or others can write it, so that nothing in it is believed."""


class RecordingError(RunFolderError):
    """A file of a run that is under way cannot be written or read, so that nothing more is sent."""

    exit_code = 3


class InterruptedRunError(BulkEsmError):
    """A run was stopped before anything was sent."""

    exit_code = 130


class NotAsExpectedError(BulkEsmError):
    """An object in S3 is not the one that a conditional write was to replace: somebody else has written it."""

    exit_code = 3


class ServiceError(BulkEsmError):
    """An answer of the control plane that is not success, or no answer at all.

    Of a mapping it becomes a result; one that leaves this package ended a command before anything was sent.

    Attributes:
        code: Lambda's error code, or the client's name for a connection that failed.
        message: the service's own words.
        status: the HTTP status; 0 where no answer came.
        request_id: Lambda's request id; None where no answer came.
        retry_after_s: what the `Retry-After` header asked for, in seconds, or None.
        sent: whether the request may have reached Lambda, so that an update may have been applied.
    """

    exit_code = 2

    def __init__(
        self,
        *,
        code: str,
        message: str,
        status: int = 0,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.sent = sent
