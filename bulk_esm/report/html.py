"""A report as one HTML page that needs nothing else: no network, no server, no file beside it.

What comes from outside is hostile. In the page it is escaped by the template, and in the script's data by `_embedded`.
Were something to get through all the same, the page's own policy lets no script and no style run but those that are
hashed here, and nothing be loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from markupsafe import Markup

from bulk_esm.escaping import escaped, escaped_line
from bulk_esm.report.page_data import data_of
from bulk_esm.report.records import Report
from bulk_esm.report.told import facts_of, line_of, settings_of, status_text, took_of, where_text, who_text
from bulk_esm.report.words import counts_text, duration_text, hour_text, mappings_text, moment_text

_FOLDER: Final = Path(__file__).parent / "templates"
_SCRIPTS: Final = ("elements.js", "timeline.js", "table.js")
_OUTCOMES: Final = (
    ("updated", "good"),
    ("unchanged", "calm"),
    ("failed", "bad"),
    ("timed_out", "bad late"),
    ("conflict", "bad other"),
    ("blocked", "wait"),
    ("not_started", "idle"),
    ("none", "idle unknown"),
)
# What a browser's parser of HTML, or an old one of JavaScript, would not take for a part of a string.
_TO_ESCAPE: Final = {ord(each): f"\\u{ord(each):04x}" for each in "<>&'\u2028\u2029"}


def as_html(report: Report) -> str:
    """Render a report.

    Args:
        report: the report.
    """
    style, script = _read("report.css"), "".join(_read(name) for name in _SCRIPTS)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=lambda number: f"{number:,}",
        counts=counts_text,
        duration=duration_text,
        moment=moment_text,
        hour=hour_text,
        named=lambda name: str(name).replace("_", " "),
    )
    return environment.get_template("report.html").render(
        report=report,
        run=report.run,
        title=status_text(report.run) if report.run else "Plan",
        where=where_text(report.run, shards=len(report.shards)) if report.run else "",
        facts=list(facts_of(report)),
        settings=list(settings_of(report)),
        outcomes=_outcomes(report),
        mappings_text=mappings_text,
        who_text=who_text,
        line_of=line_of,
        took_of=took_of,
        style=Markup(style),  # noqa: S704 - our own files
        script=Markup(script),  # noqa: S704 - likewise
        data=Markup(_embedded(data_of(report))),  # noqa: S704 - escaped there
        policy=_policy(style, script),
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """What a template shows, without what would turn text around; what is ours is markup already."""
    return escaped_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _embedded(data: Any) -> str:
    """Data as JSON in which nothing ends the element that it stands in."""
    return escaped(msgspec.json.encode(data).decode()).translate(_TO_ESCAPE)


def _policy(style: str, script: str) -> str:
    """What the page may do: run this script, look like this, and nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; base-uri 'none'; "
        "form-action 'none'"
    )


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome's part of a bar that is 1,000 wide.

    Attributes:
        outcome: see `Outcome`; `none` where there is no result.
        count: how many mappings.
        tone: what it is drawn as.
        x: where it begins.
        width: how wide it is.
    """

    outcome: str
    count: int
    tone: str
    x: float
    width: float


def _outcomes(report: Report) -> list[Part]:
    counts = report.run.counts if report.run else {}
    total = sum(counts.values())
    parts: list[Part] = []
    x = 0.0
    for outcome, tone in _OUTCOMES:
        if count := counts.get(outcome):
            width = 1_000 * count / total
            parts.append(Part(outcome=outcome, count=count, tone=tone, x=round(x, 2), width=round(width, 2)))
            x += width
    return parts
