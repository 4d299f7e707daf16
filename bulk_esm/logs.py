"""Events, through the standard library's `bulk_esm` logger: an application that embeds us keeps its own logging."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from bulk_esm.escaping import escaped

_ROOT: Final = "bulk_esm"
_SHOWS_LIBRARIES: Final = frozenset({"debug", "info"})


class Logger:
    """Logs events: each has a name, and what else is told of it.

    They come to the standard library's loggers as structlog's do, so that its formatter takes them.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **told: Any) -> None:
        """Log an event that helps to find an error."""
        self._log(logging.DEBUG, event, told)

    def info(self, event: str, **told: Any) -> None:
        """Log an event."""
        self._log(logging.INFO, event, told)

    def warning(self, event: str, **told: Any) -> None:
        """Log an event that is odd."""
        self._log(logging.WARNING, event, told)

    def error(self, event: str, **told: Any) -> None:
        """Log a failure."""
        self._log(logging.ERROR, event, told)

    def exception(self, event: str, **told: Any) -> None:
        """Log the exception that is being handled."""
        self._log(logging.ERROR, event, {"exc_info": True, **told})

    def _log(self, level: int, event: str, told: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            what = {**told, "event": event, **_stamps(level, self._logger.name)}
            self._logger.log(level, what, extra={"_logger": self._logger, "_name": what["level"]})


def get_logger(name: str) -> Logger:
    """A logger of a part of the package.

    Args:
        name: the part, such as `engine`.
    """
    return Logger(f"{_ROOT}.{name}")


def _stamps(level: int, name: str) -> dict[str, str]:
    """What is told of each event."""
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {"level": logging.getLevelName(level).lower(), "logger": name, "at": at}


@contextmanager
def logging_to_file(path: Path) -> Iterator[None]:
    """Write every event to a file as JSON-lines meanwhile.

    Args:
        path: the file; appended to.
    """
    root = logging.getLogger(_ROOT)
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(_JsonLines(tracebacks=True))
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
    handler.setFormatter(
        _JsonLines(tracebacks=level == "debug") if as_json else _Text(tracebacks=level == "debug", in_color=in_color)
    )
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


class _JsonLines(logging.Formatter):
    """JSON-lines.

    Args:
        tracebacks: whether to show them.
        in_color: text in color.
    """

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Render one event."""
        told = _told(record)
        failure = told.pop("exc_info", None)
        if failure and self._tracebacks:
            failure = sys.exc_info() if failure is True else failure
            if isinstance(failure, BaseException):
                failure = type(failure), failure, failure.__traceback__
            told["exception"] = self.formatException(failure)
        return json.dumps(told, default=repr)


def _told(record: logging.LogRecord) -> dict[str, Any]:
    """What a record tells: an event of ours, or the text of a library."""
    if isinstance(record.msg, dict) and hasattr(record, "_logger"):
        return dict(record.msg)
    return {
        "event": record.getMessage(),
        **({"exc_info": record.exc_info} if record.exc_info else {}),
        **_stamps(record.levelno, record.name),
    }


class _Text(logging.Formatter):
    """Text for a terminal: structlog's, which is imported with the first event that is shown.

    It brings rich's tracebacks, and with them pygments: 4 MB, and a third of the time that a command takes to start.

    Args:
        tracebacks: whether to show them.
        in_color: whether in color.
    """

    def __init__(self, *, tracebacks: bool, in_color: bool = False) -> None:
        super().__init__()
        self._tracebacks, self._in_color = tracebacks, in_color

    def format(self, record: logging.LogRecord) -> str:
        """Render one event."""
        return self._made.format(record)

    @cached_property
    def _made(self) -> logging.Formatter:
        import structlog  # noqa: PLC0415 - see above

        processors: list[Any] = [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info if self._tracebacks else _drop_traceback,
            _escape,
            structlog.dev.ConsoleRenderer(colors=self._in_color),
        ]
        of_libraries: list[Any] = [
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        ]
        return structlog.stdlib.ProcessorFormatter(processors=processors, foreign_pre_chain=of_libraries)


def _escape(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """What is no string is shown by its `repr`, which escapes likewise."""
    return {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _drop_traceback(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    event.pop("exc_info", None)
    return event
