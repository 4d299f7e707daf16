"""Windows: when they open and close, on the days too on which the clocks are changed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.errors import UsageError
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.window import Window

NIGHT = "02:00-04:30[Europe/Berlin]"


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}Z")


@pytest.mark.parametrize(
    ("text", "now", "opens", "closes"),
    [
        (NIGHT, "2026-01-31T00:00", "2026-01-31T01:00", "2026-01-31T03:30"),
        (NIGHT, "2026-01-31T01:00", "2026-01-31T01:00", "2026-01-31T03:30"),
        (NIGHT, "2026-01-31T03:29:59", "2026-01-31T01:00", "2026-01-31T03:30"),
        (NIGHT, "2026-01-31T03:30", "2026-02-01T01:00", "2026-02-01T03:30"),
        (NIGHT, "2026-07-31T12:00", "2026-08-01T00:00", "2026-08-01T02:30"),
        ("22:00-04:00[UTC]", "2026-01-31T03:00", "2026-01-30T22:00", "2026-01-31T04:00"),
        ("22:00-04:00Z", "2026-01-31T04:00", "2026-01-31T22:00", "2026-02-01T04:00"),
        ("20:00-24:00[UTC]", "2026-01-31T23:59", "2026-01-31T20:00", "2026-02-01T00:00"),
        ("00:00-24:00[UTC]", "2026-01-31T12:00", "2026-01-31T00:00", "2026-02-01T00:00"),
        ("02:00-04:00[Pacific/Auckland]", "2026-01-31T12:30", "2026-01-31T13:00", "2026-01-31T15:00"),
        # On 29 March 2026 Berlin's clocks go from 02:00 to 03:00, at 01:00 UTC.
        (NIGHT, "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-29T02:30"),
        ("02:30-04:30[Europe/Berlin]", "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-29T02:30"),
        ("01:00-02:30[Europe/Berlin]", "2026-03-28T12:00", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("02:15-02:45[Europe/Berlin]", "2026-03-28T12:00", "2026-03-30T00:15", "2026-03-30T00:45"),  # not on that day
        # On 25 October 2026 they show 02:00 to 03:00 twice: from 00:00 to 01:00 UTC, and from 01:00 to 02:00.
        (NIGHT, "2026-10-24T12:00", "2026-10-25T00:00", "2026-10-25T03:30"),
        ("01:00-02:30[Europe/Berlin]", "2026-10-24T12:00", "2026-10-24T23:00", "2026-10-25T00:30"),
        ("02:15-02:45[Europe/Berlin]", "2026-10-25T00:50", "2026-10-26T01:15", "2026-10-26T01:45"),  # once is enough
        # Lord Howe's clocks go forward by half an hour, on 4 October 2026 at 02:00, which is 15:30 UTC.
        ("02:20-04:00[Australia/Lord_Howe]", "2026-10-03T12:00", "2026-10-03T15:30", "2026-10-03T17:00"),
    ],
)
def test_when_it_opens_and_closes(text: str, now: str, opens: str, closes: str) -> None:
    assert Window.parse(text).next(at(now)) == (at(opens), at(closes))


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["Europe/Berlin", "America/New_York"]))  # noqa: DTZ001 - made aware below
def test_it_closes_after_now_and_opens_within_two_days(now: datetime, zone: str) -> None:
    moment = now.replace(tzinfo=UTC)
    opens, closes = Window.parse(f"02:15-02:45[{zone}]").next(moment)
    assert opens < closes
    assert moment < closes
    assert opens - moment <= timedelta(hours=49)
    assert Window.parse(f"02:15-02:45[{zone}]").next(closes)[0] > opens


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("02:00-04:30", "say the zone"),
        ("02:00-04:30[Europe/Berln]", "did you mean Europe/Berlin"),
        ("02:00-04:30[Europe]", "there is no zone 'Europe'"),
        ("02:00-04:30[/etc/passwd]", "there is no zone"),
        ("02:00-04:30[]", "there is no zone ''"),
        ("02:00-25:00[UTC]", "is no window"),
        ("24:00-02:00[UTC]", "is no window"),
        ("02:00-02:00[UTC]", r"00:00-24:00\[UTC\]"),
        ("2-4[UTC]", "is no window; write it like '02:00-04:30"),
        ("", "is no window"),
    ],
)
def test_what_is_no_window(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Window.parse(text)
    with pytest.raises(UsageError, match=says):
        RolloutSettings(window=text)
