"""A command whose S3 hangs leaves when it is asked to, and says what became of the run."""

import signal
import subprocess
import threading
from collections.abc import Callable

import pytest
from cli_harness import FAST, wait_until
from cli_s3 import World, accepted
from s3_proxy import Fault, Kind, Request, S3Proxy, every, s3_proxy

pytest_plugins = ("cli_s3_fixtures",)

ALL = ("--all", "--yes", *FAST)
Running = subprocess.Popen[str]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_anything_was_sent_a_signal_ends_the_command(world: World, number: signal.Signals) -> None:
    with s3_proxy(world.s3.endpoint_url) as proxy:
        proxy.choose = every(Kind.HANG_BEFORE, "PUT", holding="plan.jsonl")
        code, stderr = interrupted(world, proxy, lambda process: process.send_signal(number))
    assert code == 130, stderr
    assert "interrupted before the plan was in s3://" in stderr
    assert "to resume" not in stderr
    assert "still running" not in stderr
    assert not accepted(world)
    assert list((world.folder / "first" / "tmp").iterdir()) == []


def test_at_the_end_a_second_signal_is_heard_and_the_rest_kept(world: World) -> None:
    """S3 is not tried for a minute once more, and another machine finishes the run."""

    def twice(process: Running) -> None:
        process.send_signal(signal.SIGINT)
        assert process.stderr
        for line in process.stderr:
            if "stopping: " in line:
                break
        process.send_signal(signal.SIGINT)

    with s3_proxy(world.s3.endpoint_url) as proxy:
        proxy.choose = hangs_at_the_end
        code, stderr = interrupted(world, proxy, twice)
        assert proxy.done[Kind.HANG_BEFORE] == 1
        assert proxy.count("GET", ".locks%2F&") == 0  # nor asked who works at a run that has just ended here
    assert code == 3, stderr
    [kept] = (world.folder / "first" / "tmp").glob("*/*-pause-*")
    assert f"was not written to the end; what it lacks is kept in {kept}\n" in stderr
    assert (kept / "results.jsonl").read_text(encoding="utf-8").count("\n") == len(world.simulated.states())
    done = world.machine("second")("continue", "last", "--yes", *FAST)
    assert done.code == 0, done.stderr
    assert set(accepted(world).values()) == {1}
    assert world.copied("third").record["status"] == "finished"


def hangs_at_the_end(request: Request) -> Fault | None:
    """All results as one object are written when a run ends."""
    is_meant = request.method == "PUT" and request.path.endswith("/results.jsonl")
    return Fault(Kind.HANG_BEFORE) if is_meant else None


def interrupted(world: World, proxy: S3Proxy, interrupt: Callable[[Running], None]) -> tuple[int, str]:
    """A pause that is interrupted when S3 hangs: its exit code, and what it wrote to stderr since."""
    with world.machine("first", s3=proxy.url).start("pause", *ALL) as process:
        assert process.stdout
        assert process.stderr
        reading = threading.Thread(target=process.stdout.read)  # else it would wait to be read
        reading.start()
        wait_until(lambda: proxy.done[Kind.HANG_BEFORE] > 0)
        interrupt(process)
        stderr = process.stderr.read()
        reading.join()
    assert "Traceback" not in stderr
    return process.returncode, stderr
