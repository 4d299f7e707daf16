"""A run in S3 that is steered from another machine, which shares nothing with it but the bucket."""

from cli_harness import finish, wait_until
from cli_s3 import World, accepted

from bulk_esm.store.asked import ASKED

pytest_plugins = ("cli_s3_fixtures",)

PAUSE = ("pause", "--all", "--yes", "--output", "table", "--rate", "20")


def test_another_machine_holds_a_run_and_stops_it_and_has_it_put_back(world: World) -> None:
    before = world.simulated.states()
    other = world.machine("other", AWS_ENDPOINT_URL_LAMBDA="http://127.0.0.1:1")  # where nobody answers
    with world.machine("first").start(*PAUSE) as process:
        try:
            wait_until(lambda: accepted(world).total() > 0)
            held = other("hold", "last")
            assert held.code == 0, held.stderr
            assert held.records[0]["status"]["held"]["by"]["host"]
            wait_until(lambda: other("hold", "last").records[0]["status"]["under_way"] == 0)
            then = accepted(world)
            assert "held by " in other("show", "last").stderr
            assert accepted(world) == then
            stopped = other("stop", "last", "--rollback")
            assert stopped.code == 0, stopped.stderr
            assert finish(process).code == 3
        finally:
            process.kill()
    assert world.simulated.states() == before
    halted = world.copied("third", other("runs").records[0]["run_id"])
    assert halted.record["reason"].startswith("stopped by ")
    assert not (halted.path / ASKED).exists()
