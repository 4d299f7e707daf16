"""A report as a page, as Markdown and as JSON: all of it is there, and names from outside do nothing in any of them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from markdown_it import MarkdownIt
from report_world import HOSTILE, REASON, RUN_ID, START, World

from bulk_esm.errors import UnwritableError, UsageError
from bulk_esm.escaping import escaped_line
from bulk_esm.report.facts import report_of
from bulk_esm.report.page_data import COLUMNS
from bulk_esm.report.plan_facts import report_of_plan
from bulk_esm.report.records import Report
from bulk_esm.report.words import duration_text
from bulk_esm.report.writing import Form, check_folder, form_of, rendered, write_report

UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    world = World(tmp_path_factory.mktemp("runs"), hostile=True)
    return report_of(world.files, made_at=START)


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._within = [""]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self._within[-1], []).append(data)


def data_in(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.text["script"][0])
    return found


def test_the_page_has_no_element_but_its_own(report: Report) -> None:
    page = Page(rendered(report, "html"))
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert not [tag for tag, _ in page.elements if tag in {"img", "link", "iframe", "object", "base", "form", "b2"}]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith(("on", "style"))]
    links = [attributes["href"] for _, attributes in page.elements if "href" in attributes]
    assert all(link is not None and link.startswith("#") for link in links)


def test_the_page_lets_only_its_own_script_and_style_run(report: Report) -> None:
    page = Page(rendered(report, "html"))
    [policy] = [one["content"] for _, one in page.elements if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    for text, name in ((page.text["script"][1], "script-src"), ("".join(page.text["style"]), "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_names_are_shown_as_they_are_and_turn_nothing_around(report: Report) -> None:
    text = rendered(report, "html")
    assert UNSEEN.search(text) is None
    page = Page(text)
    data = data_in(page)
    function = COLUMNS.index("function")
    names = {data["strings"][row[function]] for row in data["rows"]}
    assert {escaped_line(name) for name in HOSTILE} <= names
    assert "<" not in text.partition('id="data">')[2].partition("</script>")[0]


def test_the_page_tells_what_the_report_has(report: Report) -> None:
    page = Page(rendered(report, "html"))
    text = " ".join(line for lines in page.text.values() for line in lines)
    assert report.run is not None
    for wanted in (RUN_ID, REASON, "alice on build-7", "set BatchSize to 7", "444444444444 eu-west-1"):
        assert wanted in text
    for command in report.commands:
        assert command.line in page.text["code"]
    assert len(data_in(page)["rows"]) == len(report.mappings)


def test_markdown_makes_no_element_of_names(report: Report) -> None:
    text = rendered(report, "markdown")
    assert UNSEEN.search(text.replace("\n", "")) is None
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    tags = {tag for tag, _ in Page(html).elements}
    assert tags <= {"h1", "h2", "ul", "li", "p", "code", "table", "thead", "tbody", "tr", "th", "td"}
    told = Page(html).text["code"]
    for name in HOSTILE:
        assert any(escaped_line(name) == one.replace("\\|", "|") for one in told), name


def test_a_pipe_is_escaped_in_tables_alone(tmp_path: Path) -> None:
    files = World(tmp_path).files
    reason = "gate 'a || b' exited with 1"
    files.write_record(msgspec.structs.replace(files.record(), reason=reason))
    text = rendered(report_of(files, made_at=START), "markdown")
    assert f"- because: `{reason}`" in text  # where a backslash would be shown


@pytest.mark.parametrize("form", ["html", "markdown", "json"])
def test_each_form_ends_with_the_end_of_a_line(report: Report, form: Form) -> None:
    text = rendered(report, form)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_markdown_tells_what_the_report_has(report: Report) -> None:
    text = rendered(report, "markdown")
    for wanted in ("# apply halted", RUN_ID, REASON, "## Waves", "## Gates", "## Shards", "errors per minute: 312"):
        assert wanted in text
    assert all(command.line in text for command in report.commands)


def test_json_is_escaped_and_the_same(report: Report) -> None:
    text = rendered(report, "json")
    assert UNSEEN.search(text.rstrip("\n")) is None
    assert msgspec.json.decode(text, type=Report) == report


@pytest.mark.parametrize("form", ["html", "markdown", "json"])
def test_a_plan_has_each_form(tmp_path: Path, form: Any) -> None:
    [plan] = World(tmp_path, is_fleet=False, hostile=True).plans.values()
    text = rendered(report_of_plan("<b>.jsonl", plan.items, made_at=START), form)
    assert "set BatchSize to 7" in text
    assert form == "json" or "<b>.jsonl" not in text.replace("`<b>.jsonl`", "")


@pytest.mark.parametrize(
    ("name", "form"), [("a.html", "html"), ("A.HTM", "html"), ("a.md", "markdown"), ("a.json", "json")]
)
def test_the_form_is_that_of_the_name(name: str, form: str) -> None:
    assert form_of(Path(name)) == form


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path, report: Report) -> None:
    with pytest.raises(UsageError, match=r"\.html, \.md or \.json"):
        form_of(Path("report.pdf"))
    with pytest.raises(UsageError, match="make it first"):
        check_folder(tmp_path / "none" / "report.html")
    with pytest.raises(UsageError, match="is a folder"):
        check_folder(tmp_path)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UnwritableError):
        write_report(report, tmp_path / "report.html", "html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_report_replaces_an_older_one(tmp_path: Path, report: Report) -> None:
    path = tmp_path / "report.md"
    path.write_text("old", encoding="utf-8")
    write_report(report, path, "markdown")
    assert path.read_text(encoding="utf-8") == rendered(report, "markdown")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (3.0, "3 s"),
        (0.418, "0.42 s"),
        (59.6, "1 min 00 s"),
        (185.0, "3 min 05 s"),
        (7_440.0, "2 h 04 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text
