"""How requests travel: only to where they were sent, with one TLS context for all clients, never twice unseen."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from http import HTTPStatus
from threading import Lock
from types import SimpleNamespace
from typing import Any, Final

import botocore.exceptions as botocore_errors
from aiobotocore.httpsession import AIOHTTPSession

from bulk_esm.aws.barriers import not_trusted, place_of, refuse_page, refused_by_proxy, wants_password
from bulk_esm.errors import ServiceError

_lock: Final = Lock()
_contexts: Final[dict[object, ssl.SSLContext]] = {}


class HttpSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore is untyped
    """Follows no redirect, and reads the certificate authorities once.

    aiohttp by itself goes wherever an answer points, with the session token among the headers, and what is answered
    there would be believed. Here, as in botocore, such an answer is the error of its request.
    That the authorities are not read for each client saves 15 ms and 0.8 MB a shard, more than all the rest of its
    client takes.

    Attributes:
        passes_redirects: whether botocore is to see what an answer points to, and may ask there; aiohttp never does.
        longest_answer_s: in real seconds, for one; the client's own timeout begins anew with each byte. None for none.
    """

    passes_redirects = False
    longest_answer_s: float | None = 90.0

    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)
        self._prepare(session)
        return SimpleNamespace(request=partial(session.request, allow_redirects=False))  # all that aiobotocore uses

    async def send(self, request: Any) -> Any:
        """Send a request.

        Raises:
            ServiceError: a proxy keeps it from going, or the certificate is not trusted; or the answer does not come to
                its end, is a web page or points to another place, and what else it says is not the service's.
        """
        try:
            async with asyncio.timeout(self.longest_answer_s):
                response = await super().send(request)
        except TimeoutError as error:
            what = f"{place_of(request.url)} did not bring its answer to an end in {self.longest_answer_s:g} s"
            raise ServiceError(code="EndlessAnswer", message=f"{what}; check the network and proxies") from error
        except botocore_errors.ProxyConnectionError as error:
            if (refusal := refused_by_proxy(error)) is None:
                raise
            raise refusal from error
        except botocore_errors.SSLError as error:
            if (refusal := not_trusted(error)) is None:
                raise
            raise refusal from error
        if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            response.raw.close()
            raise wants_password(place_of(request.url))
        if 300 <= response.status_code < 400 and not self.passes_redirects:  # noqa: PLR2004 - HTTP's redirects
            response.raw.close()
            there = response.headers.get("location", "nowhere")
            what = f"the answer points to {there}, which is not followed; check the network, proxies and --endpoint-url"
            raise ServiceError(code="Redirected", message=what, status=response.status_code)
        if not getattr(request, "stream_output", False):
            refuse_page(request.url, response.status_code, await response.content)
        return response

    def _prepare(self, session: Any) -> None:
        """Set what aiohttp's session is to do otherwise."""

    def _build_ssl_contexts(self, proxy_url: str | None) -> tuple[ssl.SSLContext, ssl.SSLContext | None]:
        # Called in a thread. A proxy or a certificate of the client's own may want another context.
        if proxy_url or self._cert_file:
            contexts: tuple[ssl.SSLContext, ssl.SSLContext | None] = super()._build_ssl_contexts(proxy_url)
            return contexts
        with _lock:
            if self._verify not in _contexts:
                _contexts[self._verify], _ = super()._build_ssl_contexts(None)
            return _contexts[self._verify], None


class SendOnceSession(HttpSession):
    """aiohttp by itself sends a PUT again when its connection breaks, as HTTP calls PUT idempotent.

    An update that was applied before the connection broke would so be accepted twice, unseen. Whether to send again
    is for the engine to say, after a look.
    """

    longest_answer_s = None  # the control plane's attempts have a bound of their own

    def _prepare(self, session: Any) -> None:
        """Send once."""
        session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch
