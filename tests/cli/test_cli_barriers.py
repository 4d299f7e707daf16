"""What comes between us and AWS: at the start one line and exit 2; in a run a halt that tells the truth."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_harness import FAST, Cli, Inside, Simulated
from cli_harness import RunFiles as Files
from cli_sources import PAGE, REGION, Service, always

from bulk_esm.aws import http
from bulk_esm.aws.barriers import refuse_page

FROM = 15  # answers that come as they are, to the middle of the updates


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


KEYS = {"AWS_ACCESS_KEY_ID": "1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": REGION}


@pytest.mark.parametrize("status", [200, 403, 404])
@pytest.mark.parametrize("command", [("list",), ("pause", "--all", "--yes")])
def test_a_page_at_the_start(status: int, command: tuple[str, ...], inside: Inside) -> None:
    service = Service()
    service.respond = always(status, PAGE)
    with service.listening() as url:
        done = inside(KEYS | {"AWS_ENDPOINT_URL": url}, *command)
    assert done.code == 2
    (line,) = done.stderr.splitlines()
    assert f"{url} answered HTTP {status} with a web page ('Log in')" in line
    assert len(service.asked) <= 2  # who we are, and a page of mappings


def test_authorities_that_are_missing(inside: Inside, tmp_path: Path) -> None:
    done = inside(KEYS | {"AWS_CA_BUNDLE": "~/none.pem", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "list")
    assert done.code == 2
    (line,) = done.stderr.splitlines()
    assert f"AWS_CA_BUNDLE: {tmp_path}/none.pem cannot be read: No such file or directory" in line


@contextmanager
def pages_from(number: int) -> Iterator[None]:
    """From a certain answer on, a portal shows its page instead, whatever the service has done and said."""
    seen = 0

    def refuse(place: str, status: int, body: bytes) -> None:
        nonlocal seen
        seen += 1
        refuse_page(place, status, body if seen < number else PAGE.encode())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "refuse_page", refuse)
        yield


def test_a_page_in_a_run(inside: Inside, tmp_path: Path) -> None:
    with Simulated(mappings=30) as simulated:
        with pages_from(FROM):
            done = inside(
                simulated.environment, "pause", "--all", "--yes", "--timeout", "2s", "--max-failures", "30", *FAST
            )
        assert done.code == 3
        assert f"because: {simulated.simulator.endpoint_url} answered HTTP" in done.stderr
        assert done.stderr.count("look_failed") <= 1  # and not for each look
        (run,) = Cli(tmp_path).run_folders()
        outcomes, accepted = Files(run).outcomes, simulated.accepted()
        assert set(outcomes.values()) <= {"unchanged", "updated", "timed_out", "not_started"}
        assert not any(accepted[uuid] for uuid, outcome in outcomes.items() if outcome == "not_started")
        assert "timed_out" in outcomes.values()

        done = inside(simulated.environment, "continue", str(run), "--yes", *FAST)
        assert done.code == 0, done.stderr
        assert set(simulated.states().values()) == {"Disabled"}
        assert max(simulated.accepted().values()) == 1
