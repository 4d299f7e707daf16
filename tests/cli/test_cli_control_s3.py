"""A run in S3 that is steered from another machine, which shares nothing with it but the bucket."""

from cli_harness import FAST, finish, wait_until
from cli_s3 import World, accepted

from bulk_esm.store.asked import ASKED

pytest_plugins = ("cli_s3_fixtures",)

PAUSE = ("pause", "--all", "--yes", "--output", "table", *FAST, "--waves", "3,100%", "--approve-waves")


def test_another_machine_holds_a_run_lets_it_go_on_stops_it_and_has_it_put_back(world: World) -> None:
    before = world.simulated.states()
    other = world.machine("other", AWS_ENDPOINT_URL_LAMBDA="http://127.0.0.1:1")  # where nobody answers
    with world.machine("first").start(*PAUSE) as process:
        try:
            wait_until(lambda: other("approve", "last").code == 0)
            wait_until(lambda: accepted(world).total() > 3)
            assert finish(process).code == 0
        finally:
            process.kill()
    assert "Enabled" not in world.simulated.states().values()
    resume = ("resume", "--run", "last", *PAUSE[2:])
    with world.machine("second").start(*resume) as process:
        try:
            wait_until(lambda: other("hold", "last").code == 0)
            held = other("hold", "last").records[0]["status"]
            assert held["held"]["by"]["host"]
            assert "held by " in other("show", "last").stderr
            assert other("go", "last").code == 0
            stopped = other("stop", "last", "--rollback")
            assert stopped.code == 0, stopped.stderr
            assert finish(process).code == 3
        finally:
            process.kill()
    assert "Enabled" not in world.simulated.states().values()
    assert before != world.simulated.states()
    runs = other("runs").records
    assert [run["command"] for run in runs] == ["pause", "resume", "rollback"]
    halted = world.copied("third", runs[1]["run_id"])
    assert halted.record["reason"].startswith("stopped by ")
    assert not (halted.path / ASKED).exists()
