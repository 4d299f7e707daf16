import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bulk_esm.logs import get_logger, log_to_stderr, logging_to_file

LOG = get_logger("tests")
ROOT, ALL = logging.getLogger("bulk_esm"), logging.getLogger()


def fail() -> None:
    raise ValueError("a bug")


def log_a_failure() -> None:
    try:
        fail()
    except ValueError:
        LOG.exception("it_failed", uuid="u-1")


def test_events_go_to_a_file_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    before = ROOT.level
    LOG.warning("too_early")
    with logging_to_file(path):
        LOG.debug("accepted", uuid="u-1", at_second=1.5)
        logging.getLogger("bulk_esm.other").info("plain %s", "text")
    LOG.error("too_late")
    assert ROOT.level == before
    with logging_to_file(path):
        LOG.info("once_more")
    events: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["event"] for event in events] == ["accepted", "plain text", "once_more"]
    assert events[0] | {"at": ""} == {
        "event": "accepted", "uuid": "u-1", "at_second": 1.5, "level": "debug", "logger": "bulk_esm.tests", "at": "",
    }  # fmt: skip
    assert events[0]["at"].endswith("Z")
    assert (events[1]["level"], events[1]["logger"]) == ("info", "bulk_esm.other")


def test_the_file_has_the_traceback(tmp_path: Path) -> None:
    with logging_to_file(tmp_path / "log.jsonl"):
        log_a_failure()
    event = json.loads((tmp_path / "log.jsonl").read_text())
    assert (event["event"], event["uuid"]) == ("it_failed", "u-1")
    assert "ValueError: a bug" in event["exception"]


def test_a_full_disk_does_not_end_a_run_by_its_log(capfd: pytest.CaptureFixture[str]) -> None:
    """The writer of the results is the one to complain."""
    with logging_to_file(Path("/dev/full")):
        LOG.info("nowhere_to_go")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", {"fine", "usual", "odd", "it_failed"}),
        ("info", {"usual", "odd", "it_failed"}),
        ("error", {"it_failed"}),
    ],
)
def test_stderr_shows_a_level_and_above(capsys: pytest.CaptureFixture[str], level: str, seen: set[str]) -> None:
    log_to_stderr(level, as_json=True)
    LOG.debug("fine")
    LOG.info("usual")
    LOG.warning("odd")
    log_a_failure()
    captured = capsys.readouterr()
    assert captured.out == ""
    events = [json.loads(line) for line in captured.err.splitlines()]
    assert {event["event"] for event in events} == seen
    assert ("exception" in events[-1]) == (level == "debug")
    assert "exc_info" not in events[-1]


@pytest.mark.parametrize("level", ["debug", "warning"])
def test_a_traceback_is_shown_on_stderr_only_for_debugging(capsys: pytest.CaptureFixture[str], level: str) -> None:
    log_to_stderr(level, as_json=False)
    log_a_failure()
    text = capsys.readouterr().err
    assert "it_failed" in text
    assert "u-1" in text
    assert ("Traceback" in text) == (level == "debug")


def test_the_file_has_everything_and_stderr_still_its_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("warning", as_json=True)
    with logging_to_file(tmp_path / "log.jsonl"):
        LOG.debug("fine")
        LOG.warning("odd")
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 2


def test_an_application_keeps_its_own_logging(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    LOG.info("not_configured")
    LOG.warning("not_configured_either")
    assert capsys.readouterr() == ("", "")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def library_logs() -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("aiobotocore.credentials").warning("Refreshing failed.", exc_info=True)
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    warnings.warn("a library's", stacklevel=1)


@pytest.mark.filterwarnings("default:a library")
@pytest.mark.parametrize(("level", "events", "tracebacks"), [("warning", 0, 0), ("info", 3, 0), ("debug", 3, 1)])
def test_what_libraries_say_is_shown_as_ours_is_and_only_from_info_on(
    capsys: pytest.CaptureFixture[str], level: str, events: int, tracebacks: int
) -> None:
    with own_handler("asyncio"):
        log_to_stderr(level, as_json=True)
        library_logs()
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["logger"] for event in found] == ["aiobotocore.credentials", "asyncio", "py.warnings"][:events]
    assert sum("exception" in event for event in found) == tracebacks


@contextmanager
def own_handler(name: str) -> Iterator[None]:
    """As `distributed` gives its loggers."""
    logger = logging.getLogger(name)
    before = logger.propagate, list(logger.handlers)
    logger.addHandler(logging.StreamHandler())
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate, logger.handlers = before
