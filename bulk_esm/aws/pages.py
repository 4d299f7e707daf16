"""Web pages where an answer of AWS was to come: of a captive portal, a proxy, or an endpoint that is none of AWS's."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from bulk_esm.escaping import shortened

_PAGE: Final = re.compile(r"<!doctype html|<html\b|<head\b|<body\b", re.IGNORECASE)
_BEGINS: Final = re.compile(rf"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*(?:{_PAGE.pattern})", re.IGNORECASE | re.DOTALL)
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_LOOKED_AT: Final = 4096  # bytes: a page says at once that it is one


def without_page(text: str) -> str:
    """What an error says before it shows a page.

    Args:
        text: what it says.
    """
    found = _PAGE.search(text)
    return text if found is None else f"{text[: found.start()].rstrip()} a web page (HTML)"


def title_of_page(body: bytes) -> str | None:
    """The title of what is a web page, which may be empty; None for all else.

    Args:
        body: what came.
    """
    if body.startswith(b"{"):  # as all of AWS's answers in JSON do
        return None
    text = body[:_LOOKED_AT].decode("utf-8", "replace").lstrip("\ufeff")
    if not _BEGINS.match(text):
        return None
    found = _TITLE.search(text)
    return shortened(unescape(found[1]), 80) if found else ""
