import logging

import pytest

from bulk_esm.model.events import RunEvent, WaveBegan
from bulk_esm.observers.observer import Observers

EVENTS = [WaveBegan(wave=number, waves=3, updates=1) for number in (1, 2, 3)]


class Failing:
    def __init__(self) -> None:
        self.told: list[RunEvent] = []

    def __call__(self, event: RunEvent, /) -> None:
        self.told.append(event)
        raise ValueError("no such file")

    def __repr__(self) -> str:
        return "the report"


def test_all_are_told_everything_in_their_order() -> None:
    told: list[tuple[str, RunEvent]] = []
    observers = Observers([lambda event: told.append(("a", event)), lambda event: told.append(("b", event))])
    for event in EVENTS:
        observers(event)
    assert told == [(name, event) for event in EVENTS for name in "ab"]


def test_one_that_fails_is_warned_of_once_and_told_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    before: list[RunEvent] = []
    after: list[RunEvent] = []
    observers = Observers([before.append, failing, after.append])
    with caplog.at_level(logging.WARNING):
        for event in EVENTS:
            observers(event)
    assert failing.told == EVENTS[:1]
    assert before == after == EVENTS
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert all(words in record.getMessage() for words in ("observer_failed", "the report", "ValueError: no such file"))


def test_what_ends_the_program_is_no_failure_of_an_observer() -> None:
    def interrupted(_: RunEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Observers([interrupted])(EVENTS[0])
