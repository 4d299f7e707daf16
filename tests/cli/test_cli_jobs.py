"""The jobs that the command line is for, at a reduced size: a fleet paused and resumed, plain and with all faults."""

from collections import Counter
from pathlib import Path

import msgspec
from cli_harness import FAST, Cli, Simulated, finish

from bulk_esm.simulator import Faults, Kind

MAPPINGS = 200
TAKES_RETRIES = {"kinesis", "dynamodb", "msk", "kafka"}


def enabled(states: dict[str, str]) -> set[str]:
    return {uuid for uuid, state in states.items() if state == "Enabled"}


def test_pause_all_then_resume_exactly_those(tmp_path: Path) -> None:
    with Simulated(mappings=MAPPINGS) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        before = simulated.states()
        assert len(before) == MAPPINGS
        assert 0 < len(enabled(before)) < MAPPINGS

        paused = cli("pause", "--all", "--yes", *FAST)
        assert (paused.code, set(simulated.states().values())) == (0, {"Disabled"})
        run = cli.last_run()
        outcomes = run.outcomes
        assert len(outcomes) == MAPPINGS
        assert {uuid for uuid, outcome in outcomes.items() if outcome == "updated"} == enabled(before)
        assert set(outcomes.values()) == {"updated", "unchanged"}
        assert paused.records == run.results

        resumed = cli("resume", "--run", "last", "--yes", *FAST)
        assert (resumed.code, simulated.states()) == (0, before)
        assert cli.last_run().outcomes == dict.fromkeys(enabled(before), "updated")
        assert simulated.accepted() == {uuid: 2 if uuid in enabled(before) else 0 for uuid in before}

        # The last run enabled, and paused nothing: meant is the pause before it, of which nothing is left.
        assert cli("resume", "--run", cli.run_folders()[-1].name, "--yes", *FAST).code == 2
        again = cli("resume", "--run", "last", "--yes", *FAST)
        assert (again.code, set(cli.last_run().outcomes.values())) == (0, {"unchanged"})


def test_the_same_with_everything_going_wrong(tmp_path: Path) -> None:
    faults = Faults(
        error_share=0.05, cut_before_share=0.025, cut_after_share=0.025, list_lag_s=10, other_caller_share=0.5
    )
    with Simulated(mappings=MAPPINGS, faults=faults) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        before = simulated.states()

        assert cli("pause", "--all", "--yes", *FAST).code == 0
        assert set(simulated.states().values()) == {"Disabled"}
        assert Counter(cli.last_run().outcomes.values()) == {
            "updated": len(enabled(before)),
            "unchanged": MAPPINGS - len(enabled(before)),
        }
        assert max(simulated.accepted().values()) == 1

        assert cli("resume", "--run", "last", "--yes", *FAST).code == 0
        assert simulated.states() == before
        report = simulated.report()
        assert max(mapping.accepted_count for mapping in report.mappings) == 2
        assert report.count(status=500) > 0
        assert report.count(status=0) > 0


def test_a_blocked_mapping_gets_no_request(tmp_path: Path) -> None:
    """The simulator counts every update, refused ones too: there are as many as it accepted, all for takers."""
    with Simulated(mappings=MAPPINGS) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        refused = cli("apply", "--all", "--set", "MaximumRetryAttempts=3", "--yes", *FAST)
        assert (refused.code, refused.stdout, simulated.report().count(Kind.UPDATE)) == (2, "", 0)
        assert "--skip-blocked" in refused.stderr
        assert cli.run_folders() == []

        done = cli("apply", "--all", "--set", "MaximumRetryAttempts=3", "--skip-blocked", "--yes", *FAST)
        assert done.code == 0
        for result in cli.last_run().results:
            taken = result["source_type"] in TAKES_RETRIES
            assert result["outcome"] == ("updated" if taken else "blocked")
            assert (result["update_calls"] > 0) == taken
            if not taken:
                assert result["error"]["code"] == "Blocked"
                assert "MaximumRetryAttempts" in result["error"]["message"]
                assert "kinesis" in result["error"]["message"]
        report = simulated.report()
        takers = {mapping.uuid for mapping in report.mappings if mapping.source_type in TAKES_RETRIES}
        assert {mapping.uuid for mapping in report.mappings if mapping.accepted_count} == takers
        assert report.count(Kind.UPDATE) - report.count(Kind.UPDATE, 429) == len(
            takers
        )  # a busy machine may be throttled


def test_a_reader_of_one_line(tmp_path: Path) -> None:
    """The pipe breaks after the first line, and the run goes on to its end."""
    with Simulated(mappings=MAPPINGS) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        done = cli.shell(f"bulk-esm pause --all --yes {' '.join(FAST)} --output jsonl | head -1")
        (line,) = done.stdout.splitlines()
        assert msgspec.json.decode(line)["outcome"] in {"updated", "unchanged"}
        assert done.code == 0
        assert len(cli.last_run().outcomes) == MAPPINGS
        assert set(simulated.states().values()) == {"Disabled"}


def test_whatever_becomes_of_stdout_and_stderr_the_run_goes_on(tmp_path: Path) -> None:
    with Simulated(mappings=40) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        common = f"--all --yes {' '.join(FAST)}"
        for number, line in enumerate(
            (
                f"bulk-esm pause {common} --output table 2>&1 | true",
                f"bulk-esm resume {common} --output csv >/dev/full",
                f"bulk-esm pause {common} <&- >&- 2>&-",
            ),
            start=1,
        ):
            done = cli.shell(line)
            assert done.code == 0, line
            assert ("not all results could be written" in done.stderr) == ("full" in line)
            assert len(cli.run_folders()) == number
            assert cli.last_run().record["status"] == "finished"
            assert set(simulated.states().values()) == {"Disabled" if number % 2 else "Enabled"}


def test_results_that_cannot_be_written_are_told_of(tmp_path: Path) -> None:
    """No run is under way here, so the exit code tells."""
    with Simulated(mappings=5) as simulated:
        done = Cli(tmp_path, simulated.environment).shell("bulk-esm list >/dev/full")
        assert (done.code, "No space left on device" in done.stderr) == (1, True)


def test_the_reader_of_a_list_goes_away(tmp_path: Path) -> None:
    with Simulated(mappings=200) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with cli.start("list") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            process.stdout = None
            assert finish(process).code == 0
