"""`bulk-esm report RUN`: a page to look at, of a run or of a plan that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli import completing
from bulk_esm.cli.damages import tell_of_damage, tell_of_damages
from bulk_esm.cli.options import OutputOptions, RunsOptions
from bulk_esm.cli.output import written
from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from bulk_esm.report.records import Report
    from bulk_esm.report.writing import Form

_STDOUT = Path("-")

Reported = Annotated[
    str,
    Parameter(
        name="RUN",
        completer=completing.runs,
        help="A run folder's path, a run's id, a unique prefix of it, or last; or FILE of a saved plan.",
    ),
]


def report_command(
    name: Reported,
    /,
    *,
    html: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="FILE to write as one page that needs nothing else.")
    ] = None,
    markdown: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="FILE to write as Markdown; by default that on stdout.")
    ] = None,
    json: Annotated[
        Path | None, Parameter(allow_leading_hyphen=True, help="FILE to write as JSON. Of each FILE - is stdout.")
    ] = None,
    open_: Annotated[
        bool, Parameter(name="--open", help="Open the page in a browser; without --html it is RUN.html, here.")
    ] = False,
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Make a report of a run from its files alone: what, who, when, a time line, failures by cause, each mapping.

    Example: bulk-esm report last --html report.html
    """
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.report.writing import rendered, write_report

    set_up_logs(output)
    wanted: dict[Form, Path | None] = {"html": html, "markdown": markdown, "json": json}
    _check(wanted)
    if open_ and html == _STDOUT:
        raise UsageError("--open opens a file; give --html FILE one that is not -")
    report = _made(name, runs)
    page = html or Path(f"{Path(report.title).name}.html")
    if open_:
        wanted["html"] = page
    for form, path in wanted.items():
        if path == _STDOUT:
            written(rendered(report, form))
        elif path is not None:
            write_report(report, path, form)
            say(f"written: {path}", quiet=output.quiet)
    if not any(wanted.values()):
        written(rendered(report, "markdown"))
    if open_:
        _open(page)
    return 0


def _check(wanted: dict[Form, Path | None]) -> None:
    """Refuse what could not be written, before anything is read."""
    from bulk_esm.report.writing import check_folder

    if sum(path == _STDOUT for path in wanted.values()) > 1:
        raise UsageError("stdout takes one form: give the others a FILE that is not -")
    for form, path in wanted.items():
        if path is None or path == _STDOUT:
            continue
        if str(path).startswith("-"):  # a flag, most likely
            raise UsageError(f"--{form} {path}: give a FILE, or - for stdout; of a file that is called so ./{path}")
        check_folder(path)


def _made(name: str, runs: RunsOptions) -> Report:
    from datetime import UTC, datetime

    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.reporting import report_of_run
    from bulk_esm.report.plan_facts import report_of_plan
    from bulk_esm.store.finding import find_run
    from bulk_esm.store.saved_plan import read_plan

    if Path(name).is_file():
        saved = read_plan(Path(name), salvage=runs.salvage, told=tell_of_damage)
        return report_of_plan(Path(name).name, saved.items, made_at=datetime.now(UTC))
    place = place_for(runs)
    files = find_run(place, name, salvage=runs.salvage)
    report = report_of_run(files, place)
    tell_of_damages([files])
    return report


def _open(page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.absolute().as_uri()):
        say(f"warning: no browser could be started; open {page} yourself")
