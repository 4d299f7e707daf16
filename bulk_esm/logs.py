"""structlog over the standard library's `bulk_esm` logger: an application that embeds us keeps its own logging.

structlog is imported with the first event: it brings rich's tracebacks, and with them pygments. No first request should
wait for those.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from bulk_esm.escaping import escaped

if TYPE_CHECKING:
    import structlog

_ROOT: Final = "bulk_esm"
_SHOWS_LIBRARIES: Final = frozenset({"debug", "info"})


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose configuration is ours alone, so that structlog's global one stays the application's.

    Args:
        name: the part of the package, such as `engine`.
    """
    return cast("structlog.stdlib.BoundLogger", _MadeAtFirst(name))


class _MadeAtFirst:
    """A logger that is made at its first event."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(_logger(self._name), attribute)


@cache
def _logger(name: str) -> structlog.stdlib.BoundLogger:
    import structlog  # noqa: PLC0415 - see above

    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{_ROOT}.{name}"),
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger


def _shared() -> list[Any]:
    import structlog  # noqa: PLC0415 - see above

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


@contextmanager
def logging_to_file(path: Path) -> Iterator[None]:
    """Write every event to a file as JSON-lines meanwhile.

    Args:
        path: the file; appended to.
    """
    root = logging.getLogger(_ROOT)
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(_Formatter(as_json=True, tracebacks=True))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()


class StderrLog(NamedTuple):
    """What of the log is shown on stderr, and how.

    Attributes:
        level: the lowest level to show, such as `warning`. Tracebacks are shown at `debug` only.
        as_json: JSON-lines rather than text.
        in_color: text in color.
    """

    level: str
    as_json: bool
    in_color: bool = False


_on_stderr: list[StderrLog] = []  # the last is what holds


def shown_on_stderr() -> StderrLog | None:
    """What this process shows; None where logging is an application's."""
    return _on_stderr[-1] if _on_stderr else None


def log_to_stderr(level: str, *, as_json: bool, in_color: bool = False) -> None:
    """Show events on stderr; for the command line, and the processes that work for it.

    What libraries log, and what Python warns of, is shown likewise, from `info` on: what of it matters to a user is an
    error or an event of ours, and theirs come with tracebacks, for each of thousands of requests.

    Args:
        level: see `StderrLog`.
        as_json: see there.
        in_color: see there.
    """
    _on_stderr[:] = [StderrLog(level, as_json, in_color)]
    ours, all_ = logging.getLogger(_ROOT), logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level.upper())
    handler.setFormatter(_Formatter(as_json=as_json, tracebacks=level == "debug", in_color=in_color))
    ours.addHandler(handler)
    ours.setLevel(level.upper())
    ours.propagate = False
    logging.captureWarnings(capture=True)
    # One that drops them is needed too: without any, Python writes to stderr by itself.
    all_.addHandler(handler if level in _SHOWS_LIBRARIES else logging.NullHandler())
    through_ours()


def through_ours() -> None:
    """Have libraries that came with handlers of their own log as the others do, where logging is a command line's."""
    if shown_on_stderr() is None:
        return
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if name.partition(".")[0] != _ROOT and logger.handlers:
            logger.handlers, logger.propagate = [], True


class _LogFile(logging.FileHandler):
    """A log gives way: on a full disk it is the results that count, and their writer is the one to complain."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Go on without this event."""

    def close(self) -> None:
        """Close the file, whatever of it reached the disk."""
        with suppress(OSError):
            super().close()


class _Formatter(logging.Formatter):
    """structlog's, made at the first event.

    Args:
        as_json: JSON-lines rather than text for a terminal.
        tracebacks: whether to show them.
        in_color: text in color.
    """

    def __init__(self, *, as_json: bool, tracebacks: bool, in_color: bool = False) -> None:
        super().__init__()
        self._as_json, self._tracebacks, self._in_color = as_json, tracebacks, in_color

    def format(self, record: logging.LogRecord) -> str:
        """Render one event."""
        return self._made.format(record)

    @cached_property
    def _made(self) -> logging.Formatter:
        import structlog  # noqa: PLC0415 - see above

        processors: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
        processors.append(structlog.processors.format_exc_info if self._tracebacks else _drop_traceback)
        if self._as_json:
            processors.append(structlog.processors.JSONRenderer())
        else:  # JSON escapes by itself
            processors += [_escape, structlog.dev.ConsoleRenderer(colors=self._in_color)]
        return structlog.stdlib.ProcessorFormatter(processors=processors, foreign_pre_chain=_shared())


def _escape(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """For a terminal. What is no string is shown by its `repr`, which escapes likewise."""
    return {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _drop_traceback(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    event.pop("exc_info", None)
    return event
