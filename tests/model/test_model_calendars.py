"""What change calendars come to, however many there are and however they stand."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.model.calendars import CalendarState, closed, closes_at

moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - with one
states = st.builds(
    CalendarState, name=st.sampled_from(["freeze", "holidays"]), is_open=st.booleans(), until=st.none() | moments
)


@given(st.lists(states))
def test_all_must_be_open_and_each_that_is_not_is_named(found: list[CalendarState]) -> None:
    answer = closed(found)
    shut = [state for state in found if not state.is_open]
    assert (answer is None) == (not shut)
    if answer is not None:
        assert answer.reason.count("CLOSED") == len(shut)
        assert "OPEN" not in answer.reason
        for state in shut:
            assert state.text in answer.reason


@given(st.lists(states))
def test_it_closes_when_the_first_of_those_does_that_are_open(found: list[CalendarState]) -> None:
    at = closes_at(found)
    known = [state.until for state in found if state.is_open and state.until is not None]
    assert (at is None) == (not known)
    if at is not None:
        assert at in known
        assert all(at <= other for other in known)


def test_in_words() -> None:
    until = datetime(2026, 7, 31, 6, 30, tzinfo=UTC)
    assert CalendarState(name="freeze", is_open=False, until=until).text == (
        "calendar freeze is CLOSED until 2026-07-31 06:30 UTC"
    )
    assert CalendarState(name="freeze", is_open=True).text == "calendar freeze is OPEN"
