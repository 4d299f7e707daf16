"""What holds for all tests: none depends on how fast the machine is, nor on what another did to logging."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from bulk_esm import logs
from bulk_esm.cli.streams import manner

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are whole, however wide the terminal is in which the tests are started."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Take back what a command line does to logging, which a process of its own would forget."""
    loggers = (logging.getLogger("bulk_esm"), logging.getLogger())
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    yield
    logging.captureWarnings(capture=False)
    logs._on_stderr.clear()
    manner()
    for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
        logger.level, logger.propagate, logger.handlers = level, propagate, handlers
