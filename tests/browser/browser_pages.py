"""A page in a browser, as its tests see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
_RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]})
  .then((found) => done(found.violations), (error) => done(String(error)));
"""


class Browser:
    """A browser that shows one page at a time."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1400, scheme: str = "light") -> None:
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get("about:blank")
        self.errors()
        self.requests()
        self.driver.get(page.as_uri())

    def errors(self) -> list[str]:
        """What the console has complained of since it was asked last."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """What was asked for since, wherever that would have led."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        log: Any = self.driver.get_log  # which has no types
        return list(log(kind))

    def violations(self) -> list[str]:
        """What axe-core finds, by element."""
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        found: Any = self.driver.execute_async_script(_RUN_AXE)
        assert isinstance(found, list), found
        return [f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]]

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """The texts of elements, hidden ones too."""
        found: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)", selector
        )
        return found

    def column(self, name: str) -> list[str]:
        """What a column of the table of mappings shows on this page."""
        headers = [one.get_attribute("data-column") for one in self.all("#table thead th")]
        return self.texts(f"#table tbody tr:not(.more) > :nth-child({headers.index(name) + 1})")

    def choose(self, identifier: str, value: str) -> None:
        Select(self.find(f"#{identifier}")).select_by_value(value)
