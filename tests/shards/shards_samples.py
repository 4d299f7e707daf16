"""Accounts, and ways into them that ask nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bulk_esm.aws.session import ConnectionSettings
from bulk_esm.model.shard import Shard
from bulk_esm.shards.resolve import Answers

T = TypeVar("T")
ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
HOME = "eu-central-1"


def shard(account_id: str = ONE, region: str = "eu-west-1") -> Shard:
    return Shard(account_id=account_id, region=region)


def write(folder: Path, text: str, name: str = "fleet.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@dataclass
class FakeSessions:
    """Answers from tables, and notes what was asked for.

    Attributes:
        accounts: of each profile's credentials, or why there is none.
        homes: the home Region of each profile.
        enabled: Regions by role's ARN, or why they cannot be told.
        organization: accounts by unit, all of them at None; or why they cannot be told.
        asked: how each connection was opened.
    """

    accounts: Mapping[str | None, str | Exception] = field(default_factory=dict)
    homes: Mapping[str | None, str] = field(default_factory=dict)
    enabled: Mapping[str | None, list[str] | Exception] = field(default_factory=dict)
    organization: Mapping[str | None, list[str]] | Exception = field(default_factory=dict)
    asked: list[ConnectionSettings] = field(default_factory=list)

    def connect(self, settings: ConnectionSettings, /) -> AbstractAsyncContextManager[Answers]:
        return self._open(settings)

    @asynccontextmanager
    async def _open(self, settings: ConnectionSettings) -> AsyncIterator[Answers]:
        self.asked.append(settings)
        yield _Fake(self, settings)


@dataclass
class _Fake:
    sessions: FakeSessions
    settings: ConnectionSettings

    @property
    def region(self) -> str:
        return self.settings.region or self.sessions.homes[self.settings.profile]

    async def account_id(self) -> str:
        return _or_raise(self.sessions.accounts[self.settings.profile])

    async def organization_accounts(self, ou: str | None = None) -> list[str]:
        return _or_raise(self.sessions.organization)[ou]

    async def enabled_regions(self) -> list[str]:
        return _or_raise(self.sessions.enabled[self.settings.role_arn])


def _or_raise(answer: T | Exception) -> T:
    if isinstance(answer, Exception):
        raise answer
    return answer
