"""Moments, as people write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.cli.moments import parse_moment
from bulk_esm.errors import UsageError

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zones beside
offsets = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", at("2026-01-31T12:30")),
        (" 90s ", at("2026-01-31T12:01:30")),
        ("1.5h", at("2026-01-31T13:30")),
        ("48h", at("2026-02-02T12:00")),
        ("2026-02-01T03:30Z", at("2026-02-01T03:30")),
        ("2026-02-01T03:30+01:00", at("2026-02-01T02:30")),
        ("2026-02-01 03:30:15-0500", at("2026-02-01T08:30:15")),
        ("2026-01-31T12:00:01Z", at("2026-01-31T12:00:01")),
        ("12:01Z", at("2026-01-31T12:01")),
        ("2d", at("2026-02-02T12:00")),
        ("00:00Z", at("2026-02-01T00:00")),
        ("23:30Z", at("2026-01-31T23:30")),
        ("12:00:00.5Z", at("2026-01-31T12:00:00.500")),
        ("03:00+14:00", at("2026-01-31T13:00")),  # it is tomorrow there by now
        ("08:00-05", at("2026-01-31T13:00")),
    ],
)
def test_moments(text: str, expected: datetime) -> None:
    moment = parse_moment(text, "--deadline", now=NOW)
    assert moment == expected
    assert moment.utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("now", "text", "expected"),
    [
        ("2026-01-31T23:30", "05:30+05", "2026-02-01T00:30"),
        ("2026-01-31T23:30", "05:30+05:00", "2026-02-01T00:30"),
        ("2026-01-31T00:30", "23:00-05", "2026-01-31T04:00"),
        ("2026-01-31T00:30", "23:00-05:00", "2026-01-31T04:00"),
    ],
)
def test_it_is_another_day_elsewhere(now: str, text: str, expected: str) -> None:
    assert parse_moment(text, "--deadline", now=at(now)) == at(expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "neither a duration nor a moment"),
        ("soon", "neither"),
        ("30", "neither"),
        ("30M", "neither"),
        ("3:30Z", "neither"),
        ("25:00Z", "neither"),
        ("03:60Z", "neither"),
        ("03:30X", "neither"),
        ("03:30 CET", "neither"),
        ("2026-02-30T03:30Z", "neither"),
        ("9999-12-31T23:59-12:00", "neither"),
        ("99999999999999h", "neither"),
        ("99999999h", "neither"),
        ("0m", "--deadline '0m' is not a duration"),
        ("1.2.3m", "is not a duration"),
        (".m", "is not a duration"),
        ("03:30", "say the zone"),
        ("2026-02-01T03:30", "say the zone"),
        ("2026-02-01", "say the zone"),
        ("2026-01-31T12:00Z", "is over: it is 2026-01-31T12:00Z"),
        ("2026-01-31T12:59+01:00", "is over"),
        ("0001-01-01T00:00+12:00", "neither"),
    ],
)
def test_what_is_no_moment_to_come(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_moment(text, "--deadline", now=NOW)
    assert says in str(raised.value)
    assert str(raised.value).startswith("--deadline")


@pytest.mark.parametrize(
    ("text", "it_is", "tomorrows"),
    [
        ("12:00Z", "12:00", "2026-02-01T12:00Z"),  # just over
        ("11:59Z", "12:00", "2026-02-01T11:59Z"),
        ("00:01Z", "12:00", "2026-02-01T00:01Z"),
        ("03:30+01:00", "13:00", "2026-02-01T03:30+01:00"),
        ("23:30+14:00", "02:00", "2026-02-01T23:30+14:00"),  # it is tomorrow there by now
        ("03:30-0500", "07:00", "2026-02-01T03:30-05:00"),
        ("11:59:30Z", "12:00", "2026-02-01T11:59:30Z"),
    ],
)
def test_a_time_of_day_that_is_over_is_not_tomorrows(text: str, it_is: str, tomorrows: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_moment(text, "--deadline", now=NOW)
    assert str(raised.value) == (
        f"--deadline {text} is over: it is {it_is} there; if the next one is meant, write --deadline {tomorrows}"
    )
    assert parse_moment(tomorrows, "--deadline", now=NOW) == parse_moment(text, "--deadline", now=NOW + DAY / 2)


@given(moments, st.times(), offsets)
def test_a_time_of_day_is_the_next_one_if_that_is_soon(now: datetime, clock: object, zone: timezone) -> None:
    offset = now.astimezone(zone).isoformat()[-6:]
    try:
        moment = parse_moment(f"{clock}{offset}", "--deadline", now=now)
    except UsageError as over:
        moment = parse_moment(str(over).rpartition(" ")[2], "--deadline", now=now)
        assert moment > now + DAY / 2
    assert now < moment <= now + DAY
    assert moment.astimezone(zone).time() == clock


@given(moments, st.timedeltas(timedelta(seconds=1), timedelta(days=10_000)), offsets)
def test_a_moment_is_the_same_in_any_zone(now: datetime, later: timedelta, zone: timezone) -> None:
    expected = now + later
    assert parse_moment(expected.astimezone(zone).isoformat(), "--deadline", now=now) == expected


@given(moments, st.integers(1, 10**4), st.sampled_from("smhd"))
def test_a_duration_is_from_now(now: datetime, number: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assert parse_moment(f"{number}{unit}", "--deadline", now=now) == now + timedelta(seconds=number * seconds)


@given(moments, st.text() | st.from_regex(r"[-+0-9TZsmh:. ]{1,20}", fullmatch=True))
def test_whatever_is_written_is_a_moment_to_come_or_refused(now: datetime, text: str) -> None:
    try:
        assert parse_moment(text, "--deadline", now=now) >= now
    except UsageError as refused:
        assert str(refused).startswith("--deadline")  # noqa: PT017 - either is right
