"""Assumed roles: credentials of another account that renew themselves, for a session that shares all else."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioAssumeRoleCredentialFetcher
from aiobotocore.session import AioSession

from bulk_esm._version import __version__
from bulk_esm.aws.errors import translated
from bulk_esm.aws.renewing import RenewedCredentials, end_of
from bulk_esm.aws.retrying import Treatment, treatment_of
from bulk_esm.errors import AccessError, BulkEsmError, ServiceError, UsageError
from bulk_esm.logs import get_logger

log: Final = get_logger("aws")

SHORTEST_S: Final = 900  # STS's own bounds: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
LONGEST_S: Final = 43_200
_ACTION: Final = "sts:AssumeRole"
_SESSION_NAME: Final = f"bulk_esm-{__version__}".replace("+", ".")[:64]  # who did it, in CloudTrail's words


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role to assume.

    Attributes:
        arn: its ARN.
        external_id: what its trust policy asks for, or None.
        duration_s: how long its credentials are asked to last, in seconds; a role's own limit may be an hour.
    """

    arn: str
    external_id: str | None = None
    duration_s: int = 3600


def with_role(base: AioSession, role: Role, *, region: str, endpoint_url: str | None, config: AioConfig) -> AioSession:
    """A session that acts in a role and costs next to nothing: models, endpoints and handlers are those of its base.

    Nothing is sent yet: the role is assumed when the credentials are first used, and again before they expire.

    Args:
        base: whose credentials assume the role, as they are at that time.
        role: the role.
        region: where STS is asked. What it gives holds in every Region of the partition.
        endpoint_url: another endpoint of STS than AWS's own.
        config: of STS's client.
    """

    def create_client(service: str, **keys: Any) -> Any:
        return base.create_client(service, region_name=region, endpoint_url=endpoint_url, config=config, **keys)

    session = copy.copy(base)
    # botocore has no public way to give a session credentials that renew themselves.
    session._credentials = _RoleCredentials(create_client, base, role)  # noqa: SLF001
    return session


class _RoleCredentials(RenewedCredentials):
    """What botocore makes of a profile's `role_arn`, with errors that name the role.

    New ones are asked for in the last quarter of their life, and in the last eighth no request goes out without.
    """

    def __init__(self, create_client: Any, base: AioSession, role: Role) -> None:
        super().__init__(method="assume-role", ahead_s=role.duration_s // 4, last_s=role.duration_s // 8)
        self._create_client = create_client
        self._base = base
        self._role = role

    async def _ask(self) -> dict[str, Any]:
        return await self._assume()

    def _warn(self, error: BulkEsmError) -> None:
        log.warning("role_not_renewed", role=self._role.arn, error=str(error))

    async def _assume(self) -> dict[str, Any]:
        """Ask STS; the answer in the form that botocore's refreshing takes.

        Raises:
            AccessError: the role cannot be assumed with these credentials.
            UsageError: what STS would be asked is not of its form, or its endpoint is no URL.
            ServiceError: STS did not answer, or not well. Nothing was sent to any other service.
        """
        role = self._role
        arguments: dict[str, Any] = {"RoleSessionName": _SESSION_NAME, "DurationSeconds": role.duration_s}
        if role.external_id is not None:
            arguments["ExternalId"] = role.external_id
        source = await self._base.get_credentials()
        await source.get_frozen_credentials()  # these may have ended, which is no matter of the role
        try:
            with translated(_ACTION):
                fetcher = AioAssumeRoleCredentialFetcher(self._create_client, source, role.arn, extra_args=arguments)
                credentials: dict[str, Any] = await fetcher.fetch_credentials()
        except AccessError as error:
            raise AccessError(f"{error}; {_hint(role)}") from error
        except ServiceError as error:
            if error.code == "ParamValidation":
                raise UsageError(f"the role {role.arn!r} cannot be asked for: {error.message}") from error
            if treatment_of(error) in {Treatment.FINAL, Treatment.BARRED}:
                raise AccessError(f"{_ACTION} was refused ({error}); {_hint(role)}") from error
            # Not STS's own code: a throttle of STS is no reason to be slower with Lambda.
            raise ServiceError(code="AssumeRoleFailed", message=f"{role.arn}: {error}", sent=False) from error
        except KeyError as error:  # botocore's parser leaves out what did not come
            what = f"{role.arn}: STS answered without {error}"
            raise ServiceError(code="AssumeRoleFailed", message=what, sent=False) from error
        except ValueError as error:  # botocore's word for an endpoint that is no URL
            raise UsageError(f"{error}; see --endpoint-url and AWS_ENDPOINT_URL_STS") from error
        if end_of(credentials["expiry_time"]) <= datetime.now(UTC):
            raise AccessError(f"the credentials of {role.arn} had expired when they came; check this machine's clock")
        return credentials


def _hint(role: Role) -> str:
    told = "with the external id that was given" if role.external_id is not None else "perhaps with an external id"
    return f"the trust policy of {role.arn} must admit these credentials, {told}"
