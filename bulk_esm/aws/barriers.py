"""What stands between us and AWS and will not go away by waiting: a proxy's refusal, a certificate, a web page."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import botocore.exceptions as botocore_errors
from aiohttp import ClientConnectorCertificateError, ClientHttpProxyError

from bulk_esm.aws.pages import title_of_page
from bulk_esm.errors import ServiceError

PROXIED: Final = "ProxyRefused"
UNTRUSTED: Final = "CertificateNotTrusted"
PAGE: Final = "WebPage"

_PROXY_ADVICE: Final = "see HTTPS_PROXY and HTTP_PROXY, and NO_PROXY for what needs none"
_MAY_PASS: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


def place_of(url: str) -> str:
    """Where a request goes, without what it asks for.

    Args:
        url: its URL.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def wants_password(proxy: str) -> ServiceError:
    """What to say where a proxy wants to know who asks.

    Args:
        proxy: the proxy, or what was to be reached through one.
    """
    what = f"the proxy wants a user name and a password, or does not take these ({proxy}: 407)"
    advice = "write HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
    return ServiceError(code=PROXIED, message=f"{what}; {advice}, or {_PROXY_ADVICE}", status=407, sent=False)


def refused_by_proxy(error: botocore_errors.ProxyConnectionError) -> ServiceError | None:
    """What to say of a proxy that answered that it will not connect us; None for one that cannot.

    Args:
        error: botocore's, which masks the password in the proxy's URL.
    """
    cause, proxy = error.kwargs.get("error"), error.kwargs.get("proxy_url")
    if not isinstance(cause, ClientHttpProxyError) or cause.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    if cause.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return wants_password(str(proxy))
    what = f"the proxy {proxy} refuses to connect us ({cause.status} {cause.message})"
    return ServiceError(code=PROXIED, message=f"{what}; {_PROXY_ADVICE}", status=cause.status, sent=False)


def not_trusted(error: botocore_errors.SSLError) -> ServiceError | None:
    """What to say of a certificate that no known authority vouches for; None where TLS failed otherwise.

    Args:
        error: botocore's.
    """
    cause = error.kwargs.get("error")
    if isinstance(cause, ClientConnectorCertificateError):
        cause = cause.certificate_error
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return None
    what = f"the certificate of {place_of(str(error.kwargs.get('endpoint_url')))} is not trusted"
    advice = "where a proxy opens TLS, name the file with its authority in AWS_CA_BUNDLE or the profile's ca_bundle"
    return ServiceError(code=UNTRUSTED, message=f"{what} ({cause.verify_message}); {advice}", sent=False)


def refuse_page(url: str, status: int, body: bytes) -> None:
    """Refuse a web page: a captive portal's, a proxy's, or that of an endpoint that is none of AWS's.

    Args:
        url: what was asked for.
        status: the HTTP status.
        body: what came.

    Raises:
        ServiceError: it is one. One that may pass, such as a gateway's 502, goes by its status.
    """
    title = title_of_page(body)
    if title is None:
        return
    shown = f" ({title!r})" if title else ""
    passes = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _MAY_PASS
    raise ServiceError(
        code=f"HTTP{status}" if passes else PAGE,
        message=f"{place_of(url)} answered HTTP {status} with a web page{shown}, and not as AWS does; "
        "check --endpoint-url, proxies, and whether this network wants a login",
        status=status,
    )
