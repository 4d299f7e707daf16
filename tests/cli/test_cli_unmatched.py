"""A value that matches nothing is named, whatever else was found; and a job may say how many it must find."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, NO_SUCH_UUID, Done, Inside, Simulated

from bulk_esm.simulator import Fleet, Kind, make_fleet

YES = ("--yes", *FAST)
WHOLE = "(a glob matches the whole of a name: '*typo*' finds it anywhere in one)"
SET = ("--set", "MaximumBatchingWindowInSeconds=5")


def made() -> Fleet:
    return make_fleet(40, seed=3, account_id="123456789012", region="us-east-1")


A_FUNCTION = made().mappings[0]["FunctionArn"].split(":")[6]


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with Simulated(fleet=made()) as found:
        yield found


def warned(done: Done) -> list[str]:
    return [line.removeprefix("warning: ") for line in done.stderr.splitlines() if line.startswith("warning: ")]


@pytest.mark.parametrize("command", [("list",), ("plan", *SET), ("pause", *YES), ("apply", *SET, *YES)])
def test_each_value_that_matches_nothing_is_named(
    inside: Inside, simulated: Simulated, command: tuple[str, ...]
) -> None:
    flags = ["--function", "typo-*", "--function", A_FUNCTION, "--exclude", "typo", "--tag", "team=nobody"]
    flags += ["--where", "BatchSize > `9999999`", "--source", "arn:aws:sqs:*:typo", "--state", "Deleting"]
    done = inside(simulated.environment, *command, *flags, *(() if "--rate" in command else FAST))
    assert done.code == 0
    assert warned(done) == [
        "--function 'typo-*' matches none of 40 mappings",
        f"--exclude typo matches none of 40 mappings {WHOLE}",
        "--source 'arn:aws:sqs:*:typo' matches none of 40 mappings",
        "--state Deleting matches none of 40 mappings",
        "--tag team=nobody matches none of 40 mappings",
        "--where 'BatchSize > `9999999`' matches none of 40 mappings",
    ]


def test_nothing_is_said_of_what_matches(inside: Inside, simulated: Simulated) -> None:
    done = inside(simulated.environment, "list", "--function", A_FUNCTION, "--function", "*", "--exclude", "*-*", *FAST)
    assert warned(done) == ["each flag matches some of 40 mappings, but all flags together none"]
    assert warned(inside(simulated.environment, "list", "--function", A_FUNCTION, *FAST)) == []


def test_what_matches_nothing_in_any_shard(inside: Inside, simulated: Simulated) -> None:
    """The other Region's fleet is another: what is there is not missed here."""
    fleet = ("--regions", "us-east-1,eu-west-1", *FAST)
    done = inside(simulated.environment, "list", "--function", A_FUNCTION, "--function", "typo", *fleet)
    assert [line.split(" matches")[0] for line in warned(done)] == ["--function typo"]
    done = inside(simulated.environment, "plan", "--function", "typo", *SET, *fleet)
    assert [line.split(" matches")[0] for line in warned(done)] == ["--function typo"]


def test_a_region_without_mappings(inside: Inside) -> None:
    with Simulated(mappings=0) as nothing:
        done = inside(nothing.environment, "pause", "--all", *YES)
        assert (done.code, warned(done)) == (
            0,
            ["there is no event source mapping at all: is that the right --region and --profile?"],
        )


def test_a_glob_that_the_shell_expanded(tmp_path: Path, inside: Inside, simulated: Simulated) -> None:
    for name in ("orders-1.json", "orders-2.json"):
        (tmp_path / name).touch()
    one = inside(simulated.environment, "list", "--function", "orders-1.json", *FAST)
    assert "(orders-1.json is a file here: if the shell expanded a glob, quote it" in warned(one)[0]
    several = inside(simulated.environment, "pause", "--function", "orders-1.json", "orders-2.json", *YES)
    assert several.code == 2
    assert "orders-2.json is a file here: if the shell expanded a glob, quote it" in several.stderr
    typo = inside(simulated.environment, "pause", "--function", "orders-*", "whatever", *YES)
    assert (typo.code, "expanded" in typo.stderr) == (2, False)


def test_a_uuid_that_is_nowhere_is_named_and_refused(inside: Inside, simulated: Simulated) -> None:
    done = inside(simulated.environment, "pause", "--uuid", NO_SUCH_UUID, *YES)
    assert done.code == 2
    assert NO_SUCH_UUID in done.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ("--function", "typo-*", "--min-targets", "1"),
            "0 mappings would be updated, of 40 seen, and at least 1 must",
        ),
        (("--all", "--min-targets", "100%"), "and at least 40 must (--min-targets 100%)"),
        (("--all", "--min-targets", "many"), "--min-targets: 'many' is no amount"),
    ],
)
def test_a_job_that_finds_too_little(inside: Inside, simulated: Simulated, flags: tuple[str, ...], says: str) -> None:
    before = simulated.report().count(Kind.UPDATE)
    for dry in ((), ("--dry-run",)):
        done = inside(simulated.environment, "pause", *flags, *dry, *YES)
        assert done.code == 2
        assert says in done.stderr
    assert simulated.report().count(Kind.UPDATE) == before
    assert inside(simulated.environment, "pause", "--all", "--min-targets", "1", "--dry-run", *FAST).code == 0


def test_a_run_that_is_continued_has_its_targets(inside: Inside, simulated: Simulated) -> None:
    inside(simulated.environment, "pause", "--function", "typo-*", *YES)
    done = inside(simulated.environment, "continue", "last", "--min-targets", "1", *YES)
    assert done.code == 2
    assert "--min-targets: a run that is continued has its targets" in done.stderr
