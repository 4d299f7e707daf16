"""A report as Markdown: readable on a terminal as it is. What comes from outside stands in code spans, and is inert."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bulk_esm.escaping import escaped_line
from bulk_esm.report.records import Report, Row, RunFacts
from bulk_esm.report.told import facts_of, line_of, settings_of, status_text, took_of, who_text
from bulk_esm.report.words import counts_text, duration_text, mappings_text, moment_text

MOST_ROWS: Final = 100
_MOST_HAPPENINGS: Final = 100
_TICKS: Final = re.compile("`+")


def as_markdown(report: Report) -> str:
    """Render a report.

    Args:
        report: the report.
    """
    return "\n".join(_lines(report)).rstrip() + "\n"


def code(text: str) -> str:
    """Text from outside as a code span, which nothing in it can leave: https://spec.commonmark.org/0.31.2/#code-spans."""
    line = escaped_line(text) or " "
    fence = "`" * (max((len(found) for found in _TICKS.findall(line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _lines(report: Report) -> Iterator[str]:
    run = report.run
    yield f"# {status_text(run) if run else 'A plan'}"
    yield ""
    for name, value in facts_of(report):
        yield f"- {name}: {code(value)}"
    if run is not None:
        yield from _section("Invocations", _invocations(run))
    yield from _section("The plan", _planned(report))
    yield from _section("Failures by cause", _causes(report))
    yield from _section("What to do next", _commands((one.why, one.line) for one in report.commands))
    yield from _section("Waves", _waves(report))
    yield from _section("Gates", _gates(report))
    yield from _section("Shards", _shards(report))
    yield from _section("How long updates took to settle", _settling(report))
    yield from _section("The slowest", _rows(report.slowest))
    yield from _section("What happened", _happenings(report))
    yield from _section("Put back or resumed since", _followed_by(report))
    yield from _section("How it was run", [f"- {name}: {code(value)}" for name, value in settings_of(report)])
    yield from _section("Mappings", _mappings(report))
    yield from _section("Notes", [f"- {code(note)}" for note in report.notes])


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from ("", f"## {title}", "", *found)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    found = list(rows)
    if found:
        yield f"| {' | '.join(columns)} |"
        yield f"|{'---|' * len(columns)}"
        yield from (f"| {' | '.join(map(_cell, row))} |" for row in found)


def _cell(text: str) -> str:
    """In a table a pipe ends a cell, in code too: https://github.github.com/gfm/#tables-extension-."""
    return text.replace("|", "\\|")


def _invocations(run: RunFacts) -> Iterator[str]:
    yield from _table(
        ("began", "took", "by", "how it ended", "command line"),
        (
            (
                moment_text(one.started_at),
                duration_text(took_of(one)),
                code(who_text(one)),
                code(str(one.status)),
                code(line_of(one)),
            )
            for one in run.invocations
        ),
    )


def _planned(report: Report) -> Iterator[str]:
    planned = report.planned
    actions = counts_text({"to update" if name == "update" else name: n for name, n in planned.actions.items()})
    yield f"{mappings_text(planned.total)}: {actions or 'nothing'}."
    if planned.groups:
        yield ""
        yield from _table(
            ("what", "mappings", "before", "source types"),
            (
                (code(one.what), f"{one.count:,}", code(_counted(one.before)), code(_counted(one.source_types)))
                for one in planned.groups
            ),
        )
    if planned.more_groups:
        yield f"\nand {planned.more_groups:,} more."
    if planned.meanings:
        yield ""
        yield from (f"- {n:,} of them: {code(meaning)}" for meaning, n in planned.meanings.items())
    if planned.blocked and report.run is None:  # of a run they are among the causes
        yield ""
        yield from _table(
            ("blocked because", "mappings"), ((code(why), f"{n:,}") for why, n in planned.blocked.items())
        )


def _counted(counts: dict[str, int]) -> str:
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{name} ({n:,})" for name, n in counts.items())


def _causes(report: Report) -> Iterator[str]:
    for cause in report.causes:
        yield f"- {cause.count:,} {cause.outcome.replace('_', ' ')}: {code(f'{cause.code}: {cause.message}')}"
        examples = ", ".join(code(f"{uuid} ({function})") for uuid, function in cause.examples)
        yield f"  such as {examples}"
        yield from (f"  {line}" for line in _commands((one.why, one.line) for one in cause.commands))
    if report.more_causes:
        yield f"- and {report.more_causes:,} more causes"


def _commands(commands: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"- {why}: {code(line)}" for why, line in commands)


def _waves(report: Report) -> Iterator[str]:
    yield from _table(
        ("wave", "began", "last settled", "came to"),
        (
            (f"{wave.number}", moment_text(wave.began_at), moment_text(wave.settled_at), counts_text(wave.counts))
            for wave in report.waves
        ),
    )


def _gates(report: Report) -> Iterator[str]:
    yield from _table(
        ("gate", "answers", "why not, the last time"),
        ((code(gate.gate), code(counts_text(gate.answers)), code(gate.last_reason or "-")) for gate in report.gates),
    )


def _shards(report: Report) -> Iterator[str]:
    yield from _table(
        ("shard", "stands", "updates", "came to", "why"),
        (
            (code(one.name), one.status, f"{one.updates:,}", counts_text(one.counts) or "-", code(one.reason or "-"))
            for one in report.shards
        ),
    )


def _settling(report: Report) -> Iterator[str]:
    yield from _table(
        ("source type", "updates", "median", "9 of 10 within", "longest"),
        (
            (code(one.source_type), f"{one.count:,}", *map(duration_text, (one.median_s, one.p90_s, one.longest_s)))
            for one in report.settling
        ),
    )


def _happenings(report: Report) -> Iterator[str]:
    happenings = report.timeline.happenings if report.timeline else ()
    half = _MOST_HAPPENINGS // 2
    left = len(happenings) - _MOST_HAPPENINGS
    for number, one in enumerate(happenings):
        if left > 0 and number == half:
            yield f"- {left:,} more, which --json has"
        if left > 0 and half <= number < half + left:
            continue
        yield f"- {moment_text(one.at)} {code(one.text)}"
        yield from (f"    - {code(line)}" for line in one.lines if line.strip())


def _followed_by(report: Report) -> Iterator[str]:
    for one in report.followed_by:
        yield (
            f"- {code(one.run_id)} ({one.command}, {one.status}), begun {moment_text(one.started_at)}: "
            f"{counts_text(one.counts) or 'nothing yet'}"
        )


def _mappings(report: Report) -> Iterator[str]:
    shown = report.mappings[:MOST_ROWS]
    yield from _rows(shown)
    left = len(report.mappings) - len(shown) + sum(report.left_out.values())
    if left:
        yield f"\nand {left:,} more; the page (--html) and --json have up to 5,000, `bulk-esm show` has all."


def _rows(rows: Iterable[Row]) -> Iterator[str]:
    yield from _table(
        ("function", "mapping", "source", "outcome", "wave", "took", "change", "why"),
        (
            (
                code(row.function),
                code(row.uuid),
                code(row.source),
                row.outcome.replace("_", " "),
                f"{row.wave}" if row.wave else "-",
                duration_text(row.duration_s),
                code(row.change or "-"),
                code(f"{row.error}{f' (request {row.request_id})' if row.request_id else ''}" if row.error else "-"),
            )
            for row in rows
        ),
    )
