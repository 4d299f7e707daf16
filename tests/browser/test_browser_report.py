"""A report's page in a real browser: it is drawn, filters, sorts, zooms, asks nobody for anything, fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_pages import Browser
from report_world import HOSTILE, START, World
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bulk_esm.escaping import escaped_line
from bulk_esm.report.facts import report_of
from bulk_esm.report.plan_facts import report_of_plan
from bulk_esm.report.records import Report
from bulk_esm.report.writing import write_report

pytestmark = pytest.mark.browser

SCHEMES = ("light", "dark")
WIDTHS = (1400, 900, 400)


def written(report: Report, pages: Path, name: str) -> Path:
    write_report(report, pages / name, "html")
    return pages / name


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    world = World(tmp_path_factory.mktemp("runs"), mappings=180, hostile=True)
    return report_of(world.files, made_at=START)


@pytest.fixture(scope="module")
def page(report: Report, pages: Path) -> Path:
    return written(report, pages, "fleet.html")


def test_it_is_drawn_without_a_complaint_and_asks_nobody(browser: Browser, page: Path, report: Report) -> None:
    browser.open(page)
    assert browser.errors() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.find("h1").text.startswith("Apply halted")
    assert len(browser.all("#chart svg path.series.accepted")) == 2  # the line, and its key
    labels = browser.texts("#chart svg text")
    assert {"wave 2", "gates", "trouble"} <= set(labels)
    assert browser.find("#table [role=status]").text == f"{len(report.mappings)} mappings"


def test_hostile_names_are_text(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("return document.scripts.length") == 2
    assert browser.run("return document.images.length") == 0
    for name in HOSTILE:
        shown = escaped_line(name)
        browser.run("const box = arguments[0]; box.value = ''", search := browser.find("#search"))
        search.send_keys(shown.split()[0])
        assert shown in browser.column("function")
    assert browser.errors() == []


def test_it_filters(browser: Browser, page: Path, report: Report) -> None:
    browser.open(page)
    browser.choose("choose-outcome", "failed")
    failed = [row for row in report.mappings if row.outcome == "failed"]
    assert browser.column("outcome") == ["failed"] * len(failed)
    assert browser.find("#table [role=status]").text == f"{len(failed)} of {len(report.mappings)} mappings"
    browser.find("#search").send_keys(failed[0].uuid)
    assert browser.column("function") == [escaped_line(failed[0].function)]
    browser.find("#search").send_keys("nothing")
    assert browser.column("function") == []


def test_it_sorts_by_each_column_both_ways(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.choose("choose-outcome", "updated")
    for number, name in enumerate(["function", "source_type", "shard"]):
        header = browser.all("#table thead th button")[["function", "source_type", "outcome", "shard"].index(name)]
        assert header.find_element(By.XPATH, "..").get_attribute("aria-sort") == "none", number
        header.click()
        assert header.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
        assert browser.column(name) == sorted(browser.column(name))
        header.click()
        assert header.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"
        assert browser.column(name) == sorted(browser.column(name), reverse=True)


def test_it_turns_pages(browser: Browser, page: Path, report: Report) -> None:
    browser.open(page)
    first = browser.column("function")
    back, on = browser.all(".pages button")
    assert not back.is_enabled()
    seen = len(first)
    while on.is_enabled():
        on.click()
        seen += len(browser.column("function"))
    assert seen == len(report.mappings)


def test_a_row_opens_by_keyboard_to_all_that_is_known(browser: Browser, page: Path, report: Report) -> None:
    browser.open(page)
    row = report.mappings[0]
    opener = browser.find("#table button.opens")
    assert opener.get_attribute("aria-expanded") == "false"
    opener.send_keys(Keys.ENTER)
    assert browser.find("#table button.opens").get_attribute("aria-expanded") == "true"
    assert browser.run("return document.activeElement.classList.contains('opens')")
    told = browser.find("#table tr.more").text
    for wanted in (row.uuid, row.request_id, row.change, row.shard):
        assert wanted is not None
        assert wanted in told


def ticks(browser: Browser) -> list[str]:
    return browser.texts("#chart svg > text[text-anchor=middle]")


def test_it_zooms_by_keyboard_by_choice_and_by_dragging(browser: Browser, page: Path) -> None:
    browser.open(page)
    whole = ticks(browser)
    slider = browser.find("#chart [role=slider]")
    slider.send_keys(Keys.HOME, "+")
    closer = ticks(browser)
    assert closer != whole
    slider.send_keys("0")
    assert ticks(browser) == whole
    browser.choose("part", "0")
    assert ticks(browser) != whole
    browser.find("#chart button:last-of-type").click()
    slider.send_keys("0")
    assert ticks(browser) == whole
    box = browser.find("#chart .drawing")
    ActionChains(browser.driver).move_to_element_with_offset(box, -200, -60).click_and_hold().move_by_offset(
        200, 0
    ).release().perform()
    assert ticks(browser) != whole
    ActionChains(browser.driver).double_click(box).perform()
    assert ticks(browser) == whole
    assert browser.errors() == []


def test_its_cursor_tells_what_was_when(browser: Browser, page: Path, report: Report) -> None:
    browser.open(page)
    slider = browser.find("#chart [role=slider]")
    assert report.timeline is not None
    accepted, settled = report.timeline.accepted[-1][1], report.timeline.settled[-1][1]
    assert f"{accepted} accepted, {settled} settled" in (slider.get_attribute("aria-valuetext") or "")
    slider.send_keys(Keys.HOME)
    assert "0 accepted, 0 settled" in (slider.get_attribute("aria-valuetext") or "")
    assert slider.get_attribute("aria-valuenow") == "0"
    slider.send_keys(Keys.ARROW_RIGHT)
    assert int(slider.get_attribute("aria-valuenow") or 0) > 0
    assert "wave 1" in (slider.get_attribute("aria-valuetext") or "")


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_its_window(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    wide, room = browser.run("const root = document.documentElement; return [root.scrollWidth, root.clientWidth]")
    assert wide == room


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_violation(browser: Browser, page: Path, scheme: str) -> None:
    browser.open(page, scheme=scheme)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    browser.find("#table button.opens").click()
    assert browser.violations() == []


def test_axe_finds_none_on_a_narrow_window_either(browser: Browser, page: Path) -> None:
    browser.open(page, width=400)
    assert browser.violations() == []


def test_it_is_printed_in_light_and_with_all_of_each_table(browser: Browser, page: Path) -> None:
    browser.open(page, scheme="dark")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("return getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert browser.run("return getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert not browser.find("nav").is_displayed()


def test_five_thousand_mappings_are_less_than_two_megabytes(browser: Browser, pages: Path) -> None:
    report = report_of(World(pages / "many", mappings=5_000, is_fleet=False).files, made_at=START)
    large = written(report, pages, "large.html")
    assert large.stat().st_size < 2_000_000
    browser.open(large)
    assert browser.find("#table [role=status]").text == "5,000 mappings"
    assert browser.errors() == []


def test_a_plan_is_drawn_too(browser: Browser, pages: Path) -> None:
    [plan] = World(pages / "planned", is_fleet=False, hostile=True).plans.values()
    browser.open(written(report_of_plan("tonight.jsonl", plan.items, made_at=START), pages, "plan.html"))
    assert browser.errors() == []
    assert browser.find("h1").text == "Plan"
    assert set(browser.column("outcome")) <= {"update", "unchanged", "blocked"}
    assert browser.violations() == []
