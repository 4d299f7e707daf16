"""What comes while a run is under way, and matches its selection: named at the end, with the command."""

from pathlib import Path

from cli_harness import FAST, Cli, Simulated, finish, wait_until


def test_what_matches_and_was_not_planned_is_named_with_the_command(tmp_path: Path) -> None:
    pause = ("pause", "--state", "Enabled", "--yes", *FAST, "--waves", "1,100%")
    with Simulated(mappings=60) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        off = next(uuid for uuid, state in simulated.states().items() if state == "Disabled")
        with cli.start(
            *pause, "--gate", "test $BULK_ESM_GATE_WAVE = 0 || while ! test -e go; do sleep 0.05; done"
        ) as process:
            try:
                wait_until(lambda: bool(cli.run_folders()) and (cli.last_run().path / "results.jsonl").exists())
                simulated.wait_until(lambda report: sum(each.accepted_count for each in report.mappings) == 1)
                simulated.change_behind(off, State="Enabled")
            finally:
                (tmp_path / "go").touch()  # or the run would wait for its gate for ever
            done = finish(process)
        assert done.code == 0
        assert f"1 mappings match the selection that were not in the plan, such as {off}" in done.stderr
        assert "    bulk-esm pause --state Enabled --yes" in done.stderr
        assert simulated.accepted()[off] == 0

        again = cli(*pause)
        assert {record["uuid"]: record["outcome"] for record in again.records} == {off: "updated"}
        assert "not in the plan" not in again.stderr
