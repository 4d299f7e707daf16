"""The sources of credentials that botocore knows, as messages name them: what failed, and what to do, in one line."""

from __future__ import annotations

import json
import os
import shlex
from typing import Final

import botocore.exceptions as botocore_errors
import msgspec

from bulk_esm.aws.pages import without_page
from bulk_esm.errors import BulkEsmError
from bulk_esm.escaping import shortened

# By botocore's name of a source: what of a profile it reads, if it is one of a profile's, and what to do.
_OF_PROFILE: Final = {
    "assume-role": ("role_arn", "check its role_arn, its source and the role's trust policy"),
    "assume-role-with-web-identity": (
        "web identity",
        "check web_identity_token_file (AWS_WEB_IDENTITY_TOKEN_FILE) and the role's trust policy",
    ),
    "sso": ("single sign-on", "log in again: aws sso login --profile {profile}"),
    "login": ("aws login", "log in again: aws login --profile {profile}"),
    "shared-credentials-file": ("credentials file", "complete its keys: aws configure --profile {profile}"),
    "config-file": ("configuration file", "complete its keys: aws configure --profile {profile}"),
    "custom-process": ("credential_process", "run its credential_process by hand to see what is wrong"),
}
_OTHERS: Final = {
    "env": ("AWS_ACCESS_KEY_ID", "set it anew, with AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"),
    "container-role": (
        "the container's credentials",
        "check AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN, and who answers",
    ),
    "iam-role": (
        "the instance's metadata service",
        "check the instance's role, and AWS_EC2_METADATA_SERVICE_...",
    ),
    "ec2-credentials-file": ("AWS_CREDENTIAL_FILE", "check the file that it names"),
    "boto-config": ("boto's configuration file", "check BOTO_CONFIG, or ~/.boto"),
}
_MFA: Final = (
    "take a session first and leave the profile out: "
    'eval "$(aws configure export-credentials --profile {profile} --format env)"'
)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source of credentials, as messages name it.

    Attributes:
        method: botocore's name of it.
        profile: the profile that it is of, if it is one of a profile's.
        login: the profile to log in with: the first of a chain of `source_profile`.
    """

    method: str
    profile: str
    login: str

    @property
    def name(self) -> str:
        """What to call it."""
        if self.method == "assume-role-with-web-identity" and "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ:
            return "AWS_WEB_IDENTITY_TOKEN_FILE"
        if self.method in _OF_PROFILE:
            return f"profile {self.profile!r} ({_OF_PROFILE[self.method][0]})"
        return _OTHERS.get(self.method, (self.method, ""))[0]

    def why_not(self, error: Exception) -> str:
        """Why it gives no credentials, and what to do, in one line.

        Args:
            error: what it raised.
        """
        return f"no usable credentials: {self.name}: {_what(error)}; {self._advice(error)}"

    def _advice(self, error: Exception) -> str:
        advice = (_OF_PROFILE | _OTHERS).get(self.method, ("", "see the AWS configuration"))[1]
        if isinstance(error, botocore_errors.LoginError):
            advice = _OF_PROFILE["login"][1]
        elif isinstance(error, (botocore_errors.SSOError, botocore_errors.TokenRetrievalError)):
            advice = _OF_PROFILE["sso"][1]
        elif isinstance(error, (NoTerminalError, botocore_errors.RefreshWithMFAUnsupportedError)):
            return _MFA.format(profile=shlex.quote(self.profile))
        return advice.format(profile=shlex.quote(self.login))


class UnusableError(Exception):
    """What a source gave is of no use, in words."""


class NoTerminalError(UnusableError):
    """A code is asked for where nobody can give one."""


def _what(error: Exception) -> str:
    """What happened, in one line, without what a program or a server printed where that may be a secret."""
    text = f"what it gave is not of the right form ({type(error).__name__})"
    match error:
        case botocore_errors.BotoCoreError() | botocore_errors.ClientError() | BulkEsmError() | UnusableError():
            text = str(error).strip()
            text = f"{text} it said nothing" if text.endswith(":") else text
        case OSError(strerror=str() as strerror):
            text = f"{strerror}: {error.filename}" if error.filename else strerror
        case TimeoutError():
            text = "it did not end in time"
        case EOFError():
            text = "no code was given"
        case KeyError():
            text = f"what it gave lacks {error}"
        case json.JSONDecodeError():
            text = f"what it gave is no JSON ({error.msg})"
        case ValueError() if not isinstance(error, UnicodeError):
            text = str(error)
    return shortened(without_page(text).removesuffix("."))
