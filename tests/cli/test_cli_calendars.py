"""Change calendars as their user sees them: refusals, the plan, deadlines, and a run that is continued."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, Simulated

from bulk_esm.cli.hours import Hours
from bulk_esm.errors import UsageError
from bulk_esm.model.calendars import CalendarState
from bulk_esm.simulator import Faults, Kind

YES = ("--yes", *FAST)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAR = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=9)  # however fast the simulator's time goes


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=20) as found:
        yield found


def turn(simulated: Simulated, name: str, *, is_open: bool, turns_at: tuple[datetime, ...] = ()) -> None:
    set_ = simulated.simulator.set_calendar
    simulated.ask(lambda: set_(name, "OPEN" if is_open else "CLOSED", turns_at=turns_at))


def updates(simulated: Simulated) -> int:
    return simulated.report().count(Kind.UPDATE)


def test_one_that_is_closed_before_the_prompt(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    turn(simulated, "holidays", is_open=True)
    turn(simulated, "freeze", is_open=False, turns_at=(FAR,))
    both = ("--calendar", "holidays", "--calendar", "freeze")
    done = inside(simulated.environment, "pause", "--all", *YES, *both)
    assert done.code == 2
    assert f"calendar freeze is CLOSED until {FAR:%Y-%m-%d %H:%M} UTC; nothing was sent" in done.stderr
    assert (updates(simulated), Cli(tmp_path).run_folders()) == (0, [])
    looked = inside(simulated.environment, "pause", "--all", "--dry-run", *both)
    assert looked.code == 0
    assert f"calendar freeze is CLOSED until {FAR:%Y-%m-%d %H:%M} UTC" in looked.stderr
    assert "calendar holidays is OPEN; when that changes is not known" in looked.stderr


def test_one_that_is_none(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    done = inside(simulated.environment, "pause", "--all", *YES, "--calendar", "freze")
    assert done.code == 2
    assert "--calendar freze: there is none" in done.stderr
    assert (updates(simulated), Cli(tmp_path).run_folders()) == (0, [])


def test_one_that_may_not_be_read(tmp_path: Path, inside: Inside) -> None:
    with Simulated(mappings=20, faults=Faults(denied_actions=frozenset({"ssm:GetCalendarState"}))) as simulated:
        turn(simulated, "freeze", is_open=True)
        done = inside(simulated.environment, "pause", "--all", *YES, "--calendar", "freeze")
        assert done.code == 2
        assert "--calendar: the calendars cannot be read: ssm:GetCalendarState was refused" in done.stderr
        assert (updates(simulated), Cli(tmp_path).run_folders()) == (0, [])
        looked = inside(simulated.environment, "pause", "--all", "--dry-run", "--calendar", "freeze")
        assert (looked.code, "the run itself would be refused" in looked.stderr) == (0, True)
        doctor = inside(simulated.environment, "doctor", "--calendar", "freeze")
        assert doctor.code == 5
        assert '"ssm:GetCalendarState"' in doctor.stderr


def test_one_that_is_open_is_kept_for_continue(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    turn(simulated, "freeze", is_open=True, turns_at=(FAR,))
    rollout = (
        "--calendar",
        "freeze",
        "--waves",
        "1,100%",
        "--gate",
        "test -e go || test $BULK_ESM_GATE_STAGE = before",
    )
    assert inside(simulated.environment, "pause", "--all", *YES, *rollout).code == 3
    assert Cli(tmp_path).last_run().record["rollout"]["calendars"] == ["freeze"]
    (tmp_path / "go").touch()
    turn(simulated, "freeze", is_open=False)
    sent = updates(simulated)
    again = inside(simulated.environment, "continue", "last", *YES)
    assert (again.code, updates(simulated)) == (2, sent)
    assert "calendar freeze is CLOSED; nothing was sent" in again.stderr
    turn(simulated, "freeze", is_open=True, turns_at=(FAR,))
    again = inside(simulated.environment, "continue", "last", *YES, "--deadline", "calendar")
    assert again.code == 0
    assert f"deadline: {FAR:%Y-%m-%d %H:%M:%S} UTC" in again.stderr


def test_the_deadline_that_a_calendar_gives(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    turn(simulated, "freeze", is_open=True, turns_at=(FAR,))
    by_calendar = ("--deadline", "calendar", "--calendar", "freeze")
    done = inside(simulated.environment, "pause", "--all", *YES, *by_calendar)
    assert done.code == 0
    assert f"deadline: {FAR:%Y-%m-%d %H:%M:%S} UTC" in done.stderr
    turn(simulated, "freeze", is_open=True)
    done = inside(simulated.environment, "resume", "--all", *YES, *by_calendar)
    assert done.code == 0
    assert "deadline: none, as no calendar says when it closes" in done.stderr
    without = inside(simulated.environment, "pause", "--all", *YES, "--deadline", "calendar")
    assert without.code == 2
    assert "say which, with --calendar NAME" in without.stderr
    assert len(Cli(tmp_path).run_folders()) == 2


def test_a_run_that_could_not_end_before_it_is_warned_of(inside: Inside, simulated: Simulated) -> None:
    turn(simulated, "freeze", is_open=True, turns_at=(FAR,))
    long = ("pause", "--all", "--dry-run", "--bake", "240h", "--calendar", "freeze")
    alone = inside(simulated.environment, *long).stderr
    assert "a calendar closes in " in alone
    assert "the wave under way is finished, and it halts then, as there is no deadline" in alone
    ending = inside(simulated.environment, *long, "--deadline", "1h").stderr
    assert "the deadline comes in 1:00:00: what could not settle by then is not sent" in ending
    assert "the wave under way is finished, and what is left waits until it opens" in ending
    by_calendar = inside(simulated.environment, *long, "--deadline", "calendar").stderr
    assert "the deadline comes in " in by_calendar
    assert "a calendar closes" not in by_calendar
    brief = inside(simulated.environment, "pause", "--all", "--dry-run", "--calendar", "freeze", "--deadline", "1h")
    assert "it takes at least" not in brief.stderr


def test_doctor_looks_at_calendars(inside: Inside, simulated: Simulated) -> None:
    assert inside(simulated.environment, "doctor", "--calendar", "freeze").code == 5
    turn(simulated, "freeze", is_open=False)
    done = inside(simulated.environment, "doctor", "--calendar", "freeze")
    assert done.code == 1
    assert any(one["what"] == "calendars" and "is CLOSED" in one["detail"] for one in done.records)


@pytest.mark.parametrize(
    ("hours", "warned"),
    [
        (Hours(), []),
        (Hours(deadline=NOW + 3 * HOUR), []),
        (Hours(deadline=NOW + HOUR), ["the deadline comes in 1:00:00"]),
        (Hours(deadline=NOW - HOUR), ["the deadline comes in 0:00"]),
        (Hours(opens_at=NOW, closes_at=NOW + HOUR, window="x"), ["the window closes in 1:00:00"]),
    ],
)
def test_what_comes_too_soon(hours: Hours, warned: list[str]) -> None:
    lines = list(hours.too_short_lines(7200, NOW))
    assert len(lines) == len(warned)
    for line, what in zip(lines, warned, strict=True):
        assert line.startswith(f"warning: it takes at least 2:00:00, and {what}: ")


def test_a_deadline_by_calendar_stays_beside_a_window() -> None:
    hours = Hours.read("calendar", "11:00-15:00[UTC]", calendars=("freeze",), now=NOW)
    assert hours.ends_at == NOW + 3 * HOUR
    closing = [CalendarState(name="freeze", is_open=True, until=NOW + HOUR)]
    assert hours.with_calendars(closing).ends_at == NOW + HOUR
    assert hours.with_calendars([CalendarState(name="freeze", is_open=True)]).ends_at == NOW + 3 * HOUR
    with pytest.raises(UsageError, match="--deadline calendar"):
        Hours.read("calendar", None, now=NOW)
