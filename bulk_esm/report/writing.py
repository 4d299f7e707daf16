"""Writes reports to files: in the form that a file's name says, whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from bulk_esm.errors import UnwritableError, UsageError
from bulk_esm.escaping import escaped
from bulk_esm.report.records import Report

Form = Literal["html", "markdown", "json"]
_FORMS: Final[dict[str, Form]] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
}


def form_of(path: Path) -> Form:
    """The form of a report that a file's name says.

    Raises:
        UsageError: it says none.
    """
    form = _FORMS.get(path.suffix.casefold())
    if form is None:
        raise UsageError(f"{path}: a report is .html, .md or .json; give it one of these names")
    return form


def check_folder(path: Path) -> None:
    """Refuse a file for which there is no folder.

    Raises:
        UsageError: there is none.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the report a name in it")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")


def rendered(report: Report, form: Form) -> str:
    """A report as text, that ends with a line's end.

    Args:
        report: the report.
        form: its form.
    """
    return _RENDERERS[form](report)


def write_report(report: Report, path: Path, form: Form) -> None:
    """Write a report; whoever looks meanwhile sees the old file or the new one.

    Args:
        report: the report.
        path: the file; it is replaced.
        form: its form.

    Raises:
        UnwritableError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        unfinished.write_text(rendered(report, form), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise UnwritableError(f"{path} cannot be written: {error.strerror}") from error


def _as_html(report: Report) -> str:
    from bulk_esm.report.html import as_html  # noqa: PLC0415 - jinja2 is only for this

    return as_html(report)


def _as_markdown(report: Report) -> str:
    from bulk_esm.report.markdown import as_markdown  # noqa: PLC0415 - likewise

    return as_markdown(report)


def _as_json(report: Report) -> str:
    return escaped(msgspec.json.encode(report).decode()) + "\n"  # to JSON the same


_RENDERERS: Final[dict[Form, Callable[[Report], str]]] = {
    "html": _as_html,
    "markdown": _as_markdown,
    "json": _as_json,
}
