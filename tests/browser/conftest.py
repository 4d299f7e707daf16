"""A browser for the tests of pages: Debian's Chromium. Without one they are skipped, unless one was to be there.

scripts/test installs Chromium where it may, and sets TESTS_HAVE_BROWSER then: a skip would hide that it did not work.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_pages import AXE, Browser
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

# It looks for no updates, and for nothing else: whatever leaves is then the page's.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


def lacking() -> str | None:
    """What is not there of what these tests need; None if all is."""
    missing = [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]
    missing += [] if AXE.is_file() else ["axe-core"]
    return (
        f"{', '.join(missing)} not found; scripts/test installs what is missing, as root on Debian" if missing else None
    )


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if (why := lacking()) is not None:
        if os.environ.get("TESTS_HAVE_BROWSER"):
            pytest.fail(why)
        pytest.skip(why)
    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(executable_path=shutil.which("chromedriver"))  # which is named, so that none is looked for
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")
