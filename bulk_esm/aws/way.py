"""How requests travel: encrypted or not, past which proxy, and whose certificates are believed."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

import msgspec
from aiobotocore.session import AioSession
from botocore.utils import get_environ_proxies

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A way to an endpoint.

    Attributes:
        url: the endpoint.
        proxy: the proxy, without its password; None for none.
        authorities: the file of certificate authorities; None for botocore's own.
    """

    url: str
    proxy: str | None = None
    authorities: str | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read along."""
        return urlsplit(self.url).scheme == "https"

    @property
    def stays_here(self) -> bool:
        """Whether it does not leave this machine."""
        return urlsplit(self.url).hostname in _HERE and self.proxy is None


def way_to(url: str, session: AioSession) -> Way:
    """The way to an endpoint, by the environment and the profile.

    Args:
        url: the endpoint.
        session: the session.
    """
    proxy = get_environ_proxies(url).get(urlsplit(url).scheme)
    authorities = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return Way(url=url, proxy=proxy and _without_password(str(proxy)), authorities=authorities and str(authorities))


def _without_password(url: str) -> str:
    before, at, host = url.rpartition("@")
    return f"{before.partition('://')[0]}://...@{host}" if at and "://" in before else host if at else url
