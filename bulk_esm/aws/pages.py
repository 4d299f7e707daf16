"""Web pages where an answer of AWS was to come: of a captive portal, a proxy, or an endpoint that is none of AWS's."""

from __future__ import annotations

import re
from typing import Final

_PAGE: Final = re.compile(r"<!doctype html|<html|<head|<body", re.IGNORECASE)


def without_page(text: str) -> str:
    """What an error says before it shows a page.

    Args:
        text: what it says.
    """
    found = _PAGE.search(text)
    return text if found is None else f"{text[: found.start()].rstrip()} a web page (HTML)"
