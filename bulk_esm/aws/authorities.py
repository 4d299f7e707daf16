"""The certificate authorities that are believed: a file that cannot be read is told of before anything is sent."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any, Final

from aiobotocore.session import AioSession

from bulk_esm.errors import UsageError

_WITHOUT: Final = "leave it out for the authorities that come with botocore"


def settle_authorities(session: AioSession) -> None:
    """Refuse a file of authorities that is none, and have one that is named with `~` found.

    Args:
        session: the session; where the environment or its profile names a file, it is this from now on.

    Raises:
        UsageError: there is no such file, or it is none of certificates.
    """
    where, named = _named(session)
    if named is not None:
        session.set_config_variable("ca_bundle", _checked(where, named))
    of_proxy = (session.get_config_variable("proxies_config") or {}).get("proxy_ca_bundle")
    if of_proxy is not None:
        _checked("proxy_ca_bundle", of_proxy)


def _named(session: AioSession) -> tuple[str, Any]:
    """What names the file, in the order in which botocore looks."""
    named = session.get_config_variable("ca_bundle")
    if named is None:
        return "REQUESTS_CA_BUNDLE", os.environ.get("REQUESTS_CA_BUNDLE")
    return ("AWS_CA_BUNDLE" if "AWS_CA_BUNDLE" in os.environ else "ca_bundle of the profile"), named


def _checked(where: str, named: Any) -> str:
    path = Path(str(named)).expanduser() if str(named).startswith("~") else Path(str(named))
    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError as error:
        what = f"{where}: {path} holds no certificates in PEM ({error.reason})"
        raise UsageError(f"{what}; name a file of certificate authorities, or {_WITHOUT}") from error
    except (OSError, ValueError, RuntimeError) as error:
        why = "no such file" if not str(named).strip() else getattr(error, "strerror", None) or str(error)
        if path.is_dir():
            why = "it is a folder"
        shown = path if str(named).strip() else "''"
        raise UsageError(
            f"{where}: {shown} cannot be read: {why}; name a file of certificate authorities in PEM, or {_WITHOUT}"
        ) from error
    return str(path)
