"""`bulk-esm unlock SHARD`."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cli_harness import Done, Inside
from s3_server import BUCKET, S3Server

from bulk_esm.store.s3.lease_rules import LockHolder, LockRecord, LockState, Look
from bulk_esm.store.s3.unlocking import described

pytest_plugins = ["s3_fixtures"]

SHARD = "123456789012-eu-west-1"
KEY = f"runs/.locks/{SHARD}.json"
WHERE = ("--runs-dir", f"s3://{BUCKET}/runs")
HOLDER = LockHolder(
    id="a",
    user="ann",
    host="box",
    pid=17,
    command="pause",
    started_at="2026-01-02T03:04:05Z",
    run="20260102T030405Z-pause-abc",
)
HELD = msgspec.json.encode(LockRecord.held(HOLDER, 60.0, ("earlier",)))


class Unlocking:
    """The command, and a machine that shares the bucket with it."""

    def __init__(self, inside: Inside, s3: S3Server) -> None:
        self._inside = inside
        self._s3 = s3

    def __call__(self, *arguments: str, stdin: str | None = None) -> Done:
        return self._inside(self._s3.environment(), "unlock", *arguments, stdin=stdin)

    @property
    def record(self) -> LockRecord:
        return msgspec.json.decode(self._s3.bodies(KEY)[KEY], type=LockRecord)


@pytest.fixture
def unlocking(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Unlocking:
    return Unlocking(Inside(tmp_path, monkeypatch, capsys), s3)


def answering(monkeypatch: pytest.MonkeyPatch, answer: str, also: object = None) -> None:
    """Answer the question, after something else has happened."""

    async def ask(_: str) -> bool:
        if callable(also):
            also()
        return answer == "yes"

    monkeypatch.setattr("bulk_esm.cli.asking.ask", ask)
    monkeypatch.setattr("bulk_esm.cli.asking.can_ask", lambda: True)


def test_it_says_who_holds_a_lock_asks_and_takes_it_away(
    unlocking: Unlocking, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put(KEY, HELD)
    answering(monkeypatch, "yes")
    done = unlocking(SHARD, *WHERE)
    assert done.code == 0
    assert (
        "account 123456789012, eu-west-1 is held by pause since 2026-01-02T03:04:05Z, process 17 of ann on box, "
        "run 20260102T030405Z-pause-abc"
    ) in done.stderr
    assert "s ago, by the clock of S3; its lease of 60 s is not over, so as far as is known it lives" in done.stderr
    assert "account 123456789012, eu-west-1 is free" in done.stderr
    assert "bulk-esm continue 20260102T030405Z-pause-abc" in done.stderr
    assert unlocking.record.state is LockState.RELEASED
    assert unlocking.record.holder == HOLDER
    assert unlocking.record.runs == ("earlier", HOLDER.run)
    assert unlocking.record.unlocked_by


def test_a_no_changes_nothing(unlocking: Unlocking, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put(KEY, HELD)
    answering(monkeypatch, "no")
    done = unlocking(SHARD, *WHERE)
    assert (done.code, "nothing was changed" in done.stderr) == (2, True)
    assert s3.bodies(KEY)[KEY] == HELD


def test_without_a_terminal_it_shows_the_lock_and_asks_nothing(unlocking: Unlocking, s3: S3Server) -> None:
    s3.put(KEY, HELD)
    done = unlocking(SHARD, *WHERE)
    assert done.code == 2
    assert "is held by pause since" in done.stderr
    assert "bulk-esm: there is no terminal to ask at: say --yes" in done.stderr
    assert "[y/N]" not in done.stderr
    assert s3.bodies(KEY)[KEY] == HELD


def test_what_was_renewed_while_it_asked_is_left_alone(
    unlocking: Unlocking, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed = msgspec.json.encode(LockRecord.held(HOLDER, 60.0, ()))
    s3.put(KEY, HELD)
    answering(monkeypatch, "yes", lambda: s3.put(KEY, renewed))
    done = unlocking(SHARD, *WHERE)
    assert (done.code, "whoever holds the lock lives; nothing was changed" in done.stderr) == (2, True)
    assert s3.bodies(KEY)[KEY] == renewed


@pytest.mark.parametrize(("age_s", "told"), [(59.0, "so as far as is known it lives"), (61.0, "is over: the next run")])
def test_whether_a_lease_is_over_is_told(age_s: float, told: str) -> None:
    record = LockRecord.held(HOLDER, 60.0, ())
    lines = described(Look(record=record, etag="any", age_s=age_s, seen_at_s=0.0), "account 1, eu-west-1")
    assert f"it was written {age_s:.0f} s ago, by the clock of S3" in lines[1]
    assert told in lines[1]


def test_what_cannot_be_read_can_be_taken_away(unlocking: Unlocking, s3: S3Server) -> None:
    s3.put(KEY, b"\xff")
    done = unlocking(SHARD, *WHERE, "--yes")
    assert (done.code, "cannot be read" in done.stderr) == (0, True)
    assert unlocking.record.state is LockState.RELEASED


def test_of_another_endpoint_it_is_another_lock(unlocking: Unlocking, s3: S3Server) -> None:
    s3.put(KEY, HELD)
    done = unlocking(SHARD, *WHERE, "--yes", "--endpoint-url", "http://127.0.0.1:1")
    assert (done.code, "nobody holds account 123456789012, eu-west-1" in done.stderr) == (0, True)
    assert s3.bodies(KEY)[KEY] == HELD


def test_a_lock_that_nobody_holds_needs_nothing(unlocking: Unlocking, s3: S3Server) -> None:
    assert unlocking(SHARD, *WHERE).code == 0
    assert s3.bodies() == {}
    released = msgspec.json.encode(LockRecord.held(HOLDER, 60.0, ()).released())
    s3.put(KEY, released)
    done = unlocking(SHARD, *WHERE)
    assert (done.code, "nobody holds" in done.stderr, "the last was pause since" in done.stderr) == (0, True, True)
    assert s3.bodies() == {KEY: released}


def test_locks_of_a_folder_need_nothing(unlocking: Unlocking) -> None:
    done = unlocking(SHARD)
    assert (done.code, "ends with its process" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("eu-west-1", *WHERE), "'eu-west-1' is no ACCOUNT-REGION"),
        ((f"{SHARD}/x", *WHERE), "is no ACCOUNT-REGION"),
        ((SHARD, "--runs-dir", "s3://b"), "no bucket is called 'b'"),
        ((), "requires an argument"),
    ],
)
def test_what_makes_no_sense_is_refused(unlocking: Unlocking, arguments: tuple[str, ...], reason: str) -> None:
    done = unlocking(*arguments)
    assert (done.code, reason in done.stderr) == (2, True)


def test_a_bucket_that_is_not_there(unlocking: Unlocking) -> None:
    done = unlocking(SHARD, "--runs-dir", "s3://no-such-bucket/runs")
    assert (done.code, "there is no bucket" in done.stderr) == (2, True)
