"""`--watch`, as its user sees it. The command's clock is the simulator's, so that minutes pass in no time."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import anyio
import msgspec
import pytest
from cli_harness import Cli, Done, Inside, RunFiles, Simulated, finish

from bulk_esm.clock import Clock
from bulk_esm.simulator import Faults, Traffic

SPEED = 600.0
CHANGE = ("apply", "--all", "--set", "BatchSize=7", "--yes", "--skip-blocked", "--timeout", "10h")
HARM = Traffic(error_share=0.01, changed_error_share=0.2)
FLEET = [
    {
        "UUID": f"00000000-0000-4000-8000-{number:012}",
        "FunctionArn": f"arn:aws:lambda:us-east-1:123456789012:function:f{number}",
        "EventSourceArn": f"arn:aws:sqs:us-east-1:123456789012:queue-{number}",
        "State": "Enabled",
        "LastModified": 1_700_000_000.0,
        "BatchSize": 10,
    }
    for number in range(20)
]
# The command itself, with the simulator's clock for its own.
_MAIN = """
import sys, time
from datetime import UTC, datetime
import anyio
import bulk_esm.api
from bulk_esm.cli import main
from bulk_esm.clock import Clock
speed, epoch, began = map(float, sys.argv[1:4])
del sys.argv[1:4]
def seconds(): return (time.monotonic() - began) * speed
def now(): return datetime.fromtimestamp(epoch + seconds(), UTC)
async def sleep(s): await anyio.sleep(s / speed)
bulk_esm.api.Clock = lambda: Clock(monotonic=seconds, now=now, sleep=sleep)
main()
"""


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


class Watched(Simulated):
    """A simulator in whose time a command lives."""

    def __init__(self, traffic: Traffic | None = None, **settings: Any) -> None:
        self.epoch = time.time()
        super().__init__(fleet=FLEET, speed=SPEED, epoch=self.epoch, **settings)
        self._traffic = traffic

    def __enter__(self) -> Self:
        super().__enter__()
        if self._traffic is not None:
            self.ask(lambda: self.simulator.set_traffic(self._traffic or Traffic()))
        return self

    def clock(self) -> Clock:
        async def sleep(seconds: float) -> None:
            await anyio.sleep(seconds / SPEED)

        simulator = self.simulator
        return Clock(
            monotonic=lambda: simulator.now,
            now=lambda: datetime.fromtimestamp(self.epoch + simulator.now, UTC),
            sleep=sleep,
        )

    def run(self, home: Path, *arguments: str) -> Done:
        """A process of its own."""
        cli = Cli(home, self.environment)
        began = time.monotonic() - self.simulator.now / SPEED
        with subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(SPEED), str(self.epoch), str(began), *arguments],
            cwd=home,
            env=cli.whole_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            return finish(process)

    def sizes(self) -> list[int]:
        return sorted(mapping["BatchSize"] for mapping in self.mappings().values())


def test_a_comparison_halts_and_all_is_put_back(tmp_path: Path) -> None:
    with Watched(HARM) as simulated:
        done = simulated.run(
            tmp_path, *CHANGE, "--waves", "4,100%", "--watch", "errors", "--on-halt", "rollback", "--soak", "5m"
        )
        halted, back = (RunFiles(folder) for folder in Cli(tmp_path).run_folders())
        assert done.code == 3
        assert halted.record["reason"].startswith("after wave 1, --watch errors: ")
        assert "of 4 changed functions" in halted.record["reason"]
        assert back.record["status"] == "finished"
        assert simulated.sizes() == [10] * 20
        assert "watched: errors of 20 functions, against those not changed yet and before the run" in done.stderr
        assert "at most 40 metrics a minute are asked for, for about 0.02 USD an hour" in done.stderr
        assert "warning: --soak 5:00 is less than these 14:00: it soaks so long" in done.stderr
        assert "warning: without a bake the last wave is not watched to its end: say --bake 14m" in done.stderr
        assert halted.record["rollout"]["watch"] == ["errors"]


def test_a_value_halts_in_its_wave(tmp_path: Path) -> None:
    with Watched(HARM) as simulated:
        done = simulated.run(tmp_path, *CHANGE, "--waves", "4,100%", "--watch", "errors<10%", "--soak", "20m")
        run = Cli(tmp_path).last_run()
        assert done.code == 3
        assert run.record["reason"].startswith("after wave 1, --watch errors<10%: it is ")
        assert simulated.sizes() == [7] * 4 + [10] * 16


def test_what_does_not_hold_before_the_prompt(tmp_path: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    with Watched(Traffic(error_share=0.3)) as simulated:
        monkeypatch.setattr("bulk_esm.api.Clock", simulated.clock)
        done = inside(simulated.environment, *CHANGE, "--watch", "errors<5%")
        assert done.code == 2
        assert "bulk-esm: --watch errors<5%: it is " in done.stderr
        assert "of 20 functions, over 5 minutes; nothing was sent" in done.stderr
        assert simulated.sizes() == [10] * 20
    assert Cli(tmp_path).run_folders() == []


@pytest.mark.parametrize(
    ("watch", "said"),
    [
        ("errors", "--watch errors: its metrics cannot be read: "),
        ("dropped-events", "none of the mappings that would be updated has this to be watched by"),
    ],
)
def test_what_cannot_be_watched_is_refused(tmp_path: Path, inside: Inside, watch: str, said: str) -> None:
    with Watched(faults=Faults(denied_actions=frozenset({"cloudwatch:GetMetricData"}))) as simulated:
        done = inside(simulated.environment, *CHANGE, "--watch", watch)
        assert done.code == 2
        assert said in done.stderr
        assert simulated.sizes() == [10] * 20
    assert Cli(tmp_path).run_folders() == []


def test_a_run_of_which_nothing_is_wrong(tmp_path: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    with Watched(Traffic()) as simulated:
        monkeypatch.setattr("bulk_esm.api.Clock", simulated.clock)
        watched = ("--watch", "errors", "--watch", "errors<50%", "--watch", "concurrency<80%")
        done = inside(simulated.environment, *CHANGE, *watched, "--bake", "14m", "--waves", "50%,100%")
        assert done.code == 0
        assert "gate_cannot_tell" not in done.stderr  # that points are waited for is how it goes
        assert simulated.sizes() == [7] * 20
        (run,) = Cli(tmp_path).run_folders()
        events = [msgspec.json.decode(line) for line in (run / "log.jsonl").read_bytes().splitlines()]
        assert {event["watch"] for event in events if event["event"] == "watch_looked"} == set(watched[1::2])


def test_a_dry_run_says_what_would_be_watched(inside: Inside) -> None:
    with Watched() as simulated:
        done = inside(simulated.environment, *CHANGE, "--dry-run", "--watch", "queue-age<60s")
        assert done.code == 0
        assert "watched: queue-age<60s of 20 queues" in done.stderr
        assert "before 9:00 have passed after its last update" in done.stderr


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is no JSON"),
        ('{"MetricDataQueries": []}', "it has no MetricDataQueries"),
        ('[{"Id": "e1", "Expression": "m1", "ReturnData": false}]', "one query must return data, and none do"),
    ],
)
def test_a_file_that_makes_no_sense(tmp_path: Path, inside: Inside, written: str | None, said: str) -> None:
    with Watched() as simulated:
        if written is not None:
            (tmp_path / "gate.json").write_text(written, encoding="utf-8")
        done = inside(simulated.environment, *CHANGE, "--watch", "./gate.json<5")
        assert done.code == 2
        assert "--watch ./gate.json<5: ./gate.json" in done.stderr
        assert said in done.stderr
        assert simulated.requests() == 0


def test_the_same_twice(inside: Inside) -> None:
    with Watched() as simulated:
        done = inside(simulated.environment, *CHANGE, "--watch", "errors", "--watch", "errors")
        assert (done.code, simulated.requests()) == (2, 0)
        assert "--watch errors is there twice" in done.stderr
