"""Where credentials come from: botocore's sources, whose every failure is one line that says which, and what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from getpass import getpass
from subprocess import DEVNULL, CompletedProcess
from typing import Any, Final

import anyio
import msgspec
from aiobotocore._helpers import resolve_awaitable
from aiobotocore.credentials import AioProfileProviderBuilder, AioRefreshableCredentials
from aiobotocore.session import AioSession

from bulk_esm.aws.metadata import Said, hold_to_their_place, said_by_instance
from bulk_esm.aws.renewing import RenewedCredentials, end_of, log
from bulk_esm.aws.sources import NoTerminalError, Source, UnusableError
from bulk_esm.errors import AccessError, BulkEsmError, NoCredentialsError, ServiceError

# As in AWS's SDK for Go: https://pkg.go.dev/github.com/aws/aws-sdk-go-v2/credentials/processcreds
_LONGEST_PROCESS_S: Final = 60.0
_AHEAD_S: Final = 900.0  # botocore's own
_LAST_S: Final = 60.0


class _SourceCredentials(RenewedCredentials):
    """The credentials of a source of botocore's that expire."""

    def __init__(self, found: AioRefreshableCredentials, source: Source, said: Callable[[], Said | None]) -> None:
        super().__init__(method=found.method)
        self._said = said
        self._renew = found._refresh_using  # noqa: SLF001 - botocore has no public way to be asked for a failure in words
        self._source = source
        if (end := found._expiry_time) is not None:  # noqa: SLF001 - likewise; a source that is asked at first use has none
            self._frozen_credentials = found._frozen_credentials  # noqa: SLF001 - likewise
            self._expiry_time = end if end.tzinfo else end.replace(tzinfo=UTC)
            self._mind(self._expiry_time)

    async def _ask(self) -> dict[str, Any]:
        kind = NoCredentialsError if self._frozen_credentials is None else AccessError
        try:
            answer: dict[str, Any] = dict(await resolve_awaitable(self._renew()) or {})
            if not answer:
                said = self._said()
                what = said.text if said else "it gives none any more"
                raise UnusableError(what)  # noqa: TRY301 - as what a source raises
            end = end_of(answer["expiry_time"])
        except Exception as error:  # whatever a source may raise, it has given nothing
            log.debug("source_failed", source=self._source.name, exc_info=True)
            raise kind(self._source.why_not(error)) from error
        if end <= datetime.now(UTC):
            what = "the credentials that it gave have expired, or this machine's clock is wrong"
            raise kind(self._source.why_not(UnusableError(what)))
        self._mind(end)
        return answer | {"expiry_time": end.isoformat()}

    def _mind(self, end: datetime) -> None:
        """Renew in the last quarter of their life, and need new ones in the last eighth, or in less of a long one."""
        life_s = (end - datetime.now(UTC)).total_seconds()
        self._advisory_refresh_timeout = min(_AHEAD_S, max(0.0, life_s / 4))
        self._mandatory_refresh_timeout = min(_LAST_S, max(0.0, life_s / 8))

    def _warn(self, error: BulkEsmError) -> None:
        log.warning("credentials_not_renewed", source=self._source.name, error=str(error))


async def find_credentials(session: AioSession, *, region: str | None) -> str:
    """Give a session the credentials of the first source that has some; those that are asked for at first use, now.

    Args:
        session: the session.
        region: where STS is asked for the role of a profile that names no Region.

    Returns:
        What to call that source.

    Raises:
        NoCredentialsError: no source has some, or the first that should does not give them.
    """
    profile, login = session.get_config_variable("profile") or "default", _login_profile(session)
    # botocore makes the sources with the Region of the last client, and reads AWS_REGION nowhere.
    session._last_client_region_used = region  # noqa: SLF001 - see above
    resolver = session.get_component("credential_provider")
    hold_to_their_place(resolver)
    _prepare(resolver)
    for provider in resolver.providers:
        source = Source(method=provider.METHOD, profile=profile, login=login)
        try:
            found = await provider.load()
        except Exception as error:  # whatever a source may raise, it has given nothing
            log.debug("source_failed", source=source.name, exc_info=True)
            if source.method == "iam-role" and isinstance(error, ServiceError):
                continue  # not an instance: on any other machine a proxy or a portal answers there
            said = said_by_instance(resolver) if source.method == "iam-role" else None
            raise NoCredentialsError(source.why_not(UnusableError(said.text) if said else error)) from error
        if found is not None:
            break
    else:
        raise _none_found(profile, Source(method="iam-role", profile=profile, login=login), said_by_instance(resolver))
    if isinstance(found, AioRefreshableCredentials):
        is_instance = source.method == "iam-role"
        found = _SourceCredentials(found, source, lambda: said_by_instance(resolver) if is_instance else None)
        try:
            await found.get_frozen_credentials()
        except AccessError as error:
            raise NoCredentialsError(str(error)) from error
    session._credentials = found  # noqa: SLF001 - botocore has no public way to give a session credentials that renew themselves
    return source.name


def _none_found(profile: str, instance: Source, said: Said | None) -> NoCredentialsError:
    """No source has any; but where an instance's metadata service answered with what are none, that is why."""
    if said is not None and said.is_of_metadata:
        return NoCredentialsError(instance.why_not(UnusableError(said.text)))
    what = "no credentials: set a profile or log in, as for the AWS CLI (aws configure, aws sso login)"
    what = f"{what}; neither profile {profile!r}, environment, container nor instance has any"
    return NoCredentialsError(what if said is None else f"{what} (in place of an instance's, {said.text})")


def _login_profile(session: AioSession) -> str:
    """The profile at the end of a chain of `source_profile`."""
    session.get_scoped_config()  # refuses one that is not there
    profile: str = session.get_config_variable("profile") or "default"
    profiles = session.full_config.get("profiles", {})
    seen: list[str] = []
    while profile not in seen:
        seen.append(profile)
        following = profiles.get(profile, {}).get("source_profile")
        if not isinstance(following, str):
            return profile
        profile = following
    return profile


def _prepare(resolver: Any) -> None:
    """Let sources ask for a code only where somebody can answer, and let no program run for ever."""
    assume_role = resolver.get_provider("assume-role")
    assume_role._prompter = _ask_for_code  # noqa: SLF001 - aiobotocore makes its sources itself
    assume_role._profile_provider_builder.__class__ = _Builder  # noqa: SLF001 - likewise
    resolver.get_provider("custom-process")._popen = _run  # noqa: SLF001 - likewise


class _Builder(AioProfileProviderBuilder):  # type: ignore[misc]  # aiobotocore is untyped
    """Of the sources of a `source_profile`."""

    def _create_process_provider(self, profile_name: str) -> Any:
        provider = super()._create_process_provider(profile_name)
        provider._popen = _run  # noqa: SLF001 - see `_prepare`
        return provider


def _ask_for_code(prompt: str) -> str:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        raise NoTerminalError("it asks for an MFA code, and there is no terminal to give one at") from error
    return getpass(prompt)


class _Ended(msgspec.Struct, frozen=True):
    """A program that has ended, as aiobotocore reads one."""

    completed: CompletedProcess[bytes]

    @property
    def returncode(self) -> int:
        return self.completed.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        return self.completed.stdout, self.completed.stderr


async def _run(*command: str, **_: Any) -> _Ended:
    """Run a program to its end, which comes in time. What is piped to us is not for it to read."""
    stdin = None if sys.stdin is not None and sys.stdin.isatty() else DEVNULL
    with anyio.fail_after(_LONGEST_PROCESS_S):
        return _Ended(await anyio.run_process(command, stdin=stdin, check=False))
