"""`bulk-esm.toml` and BULK_ESM_ variables: what holds, what is refused and how it is said, and `bulk-esm config`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import FAST, SPEED, Cli, Inside, Simulated, listening
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.cli.config_files import ConfigFile
from bulk_esm.cli.config_rules import NOT_FROM_FILE, NOT_FROM_WORKING_FOLDER, TYPED, Setting, effective
from bulk_esm.errors import UsageError

FILE = "bulk-esm.toml"
YES = ("--yes", *FAST)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    monkeypatch.setenv("COLUMNS", "200")
    return Inside(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    with Simulated(mappings=40) as found:
        yield found


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The user's own file, in the XDG place."""
    folder = tmp_path / ".config" / "bulk-esm"
    folder.mkdir(parents=True)
    return folder / FILE


WRONG = {
    'wavse = "1,100%"': "line 1: wavse is no flag of any command; did you mean waves?",
    'runs_dir = "x"': "line 1: runs_dir is no flag of any command; did you mean runs-dir?",
    "[puase]\nrate = 3": "line 1: [puase] is no command; did you mean pause?",
    "# of a job\n[pause]\nrat = 3": "line 3: rat is no flag of pause; did you mean rate?",
    "[pause]\n\nall-paused = true": "line 3: pause has no flag --all-paused; it is of resume",
    '[config-profile.prod]\nwavse = "1"': "line 2: wavse is no flag of any command; did you mean waves?",
    "[config-profile.prod.pause]\nall-paused = true": "line 2: pause has no flag --all-paused; it is of resume",
    "[config-profile.prod.puase]": "line 1: [puase] is no command; did you mean pause?",
    "config-profile = 'prod'": "line 1: a file does not choose the profile",
    "[config-profile]\nprod = 3": "line 2: write a table: [config-profile.NAME]",
    "[pause.rate]\nx = 3": "line 1: no flag takes a table",
    "rate = true": "line 1: --rate takes a value, and not true or false",
    'quiet = "true"': "line 1: --quiet is true or false, without quotes",
    'waves = ["1", "100%"]': "line 1: --waves takes one value and no array; several are written as on the "
    'command line, such as "one,two"',
    "alarm = [2026-01-31]": "line 1: --alarm takes text or a number",
    'rate = "fast"': '--rate from bulk-esm.toml, line 1: unable to convert "fast"',
    'timeout = "15"': "--timeout '15' is not a duration; write it like 90s, 15m, 2h or 1d (--timeout is from "
    "bulk-esm.toml, line 1)",
    'max-targets = "many"': "(--max-targets is from bulk-esm.toml, line 1)",
    "pause = { waev = 3 }": "line 1: waev is no flag of pause; did you mean waves?",
    "pause.waev = 3": "line 1: waev is no flag of pause; did you mean waves?",
    f"rate = {'[' * 9999}": "bulk-esm.toml is not TOML: ",
    f"rate = {'9' * 9999}": "bulk-esm.toml is not TOML: ",
    "rate =": "bulk-esm.toml is not TOML: ",
    b"rate = '\xff'".decode("latin-1"): "bulk-esm.toml is not TOML: ",
}


@pytest.mark.parametrize(("text", "said"), WRONG.items())
def test_a_file_that_makes_no_sense_is_refused(text: str, said: str, tmp_path: Path, inside: Inside) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with listening() as listener:
        done = inside(listener.environment, "pause", "--all", "--yes")
        assert (done.code, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert not listener.was_called


@pytest.mark.parametrize("flag", sorted(NOT_FROM_FILE - {"config-profile"}))
def test_what_is_said_each_time_comes_from_no_file(flag: str, tmp_path: Path, own: Path, inside: Inside) -> None:
    for path in (tmp_path / FILE, own):
        for table in ("", "[config-profile.night]\n", "[apply]\n"):
            path.write_text(f"{table}{flag} = true\n", encoding="utf-8")
            done = inside({}, "list")
            assert done.code == 2
            line = table.count("\n") + 1
            variable = f"BULK_ESM_{flag.upper().replace('-', '_')}"
            assert f"{FILE}, line {line}: --{flag} does not come from a file" in done.stderr
            assert f"give it on the command line, or in a job as {variable}" in done.stderr
        path.unlink()


@pytest.mark.parametrize("flag", sorted(NOT_FROM_WORKING_FOLDER - {"notify"}))
def test_a_repository_neither_runs_commands_nor_redirects(flag: str, tmp_path: Path, own: Path, inside: Inside) -> None:
    (tmp_path / FILE).write_text(f'{flag} = "x"\n', encoding="utf-8")
    done = inside({}, "list")
    assert done.code == 2
    assert f"{FILE}, line 1: --{flag} comes from your own file alone" in done.stderr
    assert f"move it to {own}" in done.stderr
    (tmp_path / FILE).rename(own)
    assert inside({}, "config").records[0]["flag"] == f"--{flag}"
    own.chmod(0o666)  # then it may be anybody's
    assert f"{own}, line 1: --{flag} comes from your own file alone" in inside({}, "list").stderr


def test_what_a_nightly_job_needs(tmp_path: Path, own: Path, simulated: Simulated, inside: Inside) -> None:
    """A gate and a runs folder from the user's file, waves from the repository's, `--yes` from a variable."""
    own.write_text(
        f'runs-dir = "kept"\nrate = {12 * SPEED}\n[pause]\ngate = "echo asked >> gate.log"\n', encoding="utf-8"
    )
    (tmp_path / FILE).write_text(
        '[pause]\nwaves = "1,100%"\nmax-targets = "100%"\n[resume]\nramp = "1s"\n', encoding="utf-8"
    )
    done = inside({**simulated.environment, "BULK_ESM_YES": "true"}, "pause", "--source-type", "sqs")
    assert done.code == 0, done.stderr
    assert "note: --yes is set by BULK_ESM_YES" in done.stderr
    assert (tmp_path / "gate.log").read_text() == "asked\nasked\n"  # before the first update, and between the waves
    [run] = (tmp_path / "kept").glob("*-pause-*")
    resumed = inside({**simulated.environment, "BULK_ESM_YES": "true"}, "resume", "--run", "last")
    assert resumed.code == 0, resumed.stderr
    assert len(inside(simulated.environment, "runs").records) == 2
    assert run.name in inside(simulated.environment, "show", run.name).stderr


def test_the_more_particular_place_holds(tmp_path: Path, own: Path, inside: Inside) -> None:
    (tmp_path / FILE).write_text(
        'rate = 2\ntimeout = "2m"\n[pause]\nrate = 3\n[config-profile.prod]\nrate = 4\n', encoding="utf-8"
    )
    own.write_text(
        'rate = 5\nconcurrency = 5\n[pause]\ntimeout = "6m"\n[config-profile.prod.pause]\nrate = 7\n', encoding="utf-8"
    )

    def held(*arguments: str, **environment: str) -> dict[str, tuple[object, str]]:
        done = inside(environment, "config", *arguments)
        assert done.code == 0, done.stderr
        return {one["flag"]: (one["value"], one["where"]) for one in done.records if one["where"]}

    prod = ("--config-profile", "prod")
    assert held("list") == {
        "--rate": (2, f"{FILE}, line 1"),
        "--timeout": ("2m", f"{FILE}, line 2"),
        "--concurrency": (5, f"{own}, line 2"),
    }
    assert held("pause")["--rate"] == (3, f"{FILE}, line 4")
    assert held("pause")["--timeout"] == ("6m", f"{own}, line 4")
    assert held("list", *prod)["--rate"] == (4, f"{FILE}, line 6")
    assert held("pause", *prod)["--rate"] == (7, f"{own}, line 6")
    assert held("pause", BULK_ESM_CONFIG_PROFILE="prod")["--rate"] == (7, f"{own}, line 6")
    assert held("pause", *prod, BULK_ESM_RATE="8", BULK_ESM_TIMEOUT="")["--rate"] == ("8", "BULK_ESM_RATE")


def test_a_profile_that_is_not_there(tmp_path: Path, inside: Inside) -> None:
    done = inside({}, "list", "--config-profile", "prod")
    assert (done.code, "there is none" in done.stderr) == (2, True)
    (tmp_path / FILE).write_text("[config-profile.prod]\nrate = 3\n", encoding="utf-8")
    done = inside({"BULK_ESM_CONFIG_PROFILE": "prd"}, "list")
    assert done.code == 2
    assert (
        "(BULK_ESM_CONFIG_PROFILE): there is no [config-profile.prd] in bulk-esm.toml; did you mean prod?"
        in done.stderr
    )


def test_what_is_typed_is_stronger(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    """Also where it excludes what is configured; and a fleet's flags hold where there is a fleet."""
    (tmp_path / FILE).write_text('regions = "us-east-1"\nshards-at-once = 3\nquiet = true\n', encoding="utf-8")
    home = simulated.environment
    assert "in this account and Region" not in inside(home, "list", *FAST, "--quiet=false").stderr
    paused = inside(home, "pause", "--all", "--yes", "--region", "us-east-1", *FAST, "--quiet=false")
    assert paused.code == 0, paused.stderr
    run = Cli(tmp_path).last_run().path
    assert not (run / "fleet.json").exists()
    for command in ("verify", "rollback"):  # of a run that was no fleet's
        done = inside(home, command, "last", *FAST, *(["--yes"] if command == "rollback" else []))
        assert done.code == 0, done.stderr
    assert inside(home, "list", "--region", "us-east-1", "--shards-at-once", "3").code == 2  # typed, so meant


def test_what_is_configured_of_a_fleet_is_not_held_against_its_run(
    tmp_path: Path, simulated: Simulated, inside: Inside
) -> None:
    """A run says its shards itself, and where they are; the file is of the next fleet by now."""
    fleet = 'accounts = "123456789012"\nregions = "us-east-1"\nrole-name = "r"\nshard-order = "accounts"\n'
    (tmp_path / FILE).write_text(fleet, encoding="utf-8")
    environment = {**simulated.environment, "BULK_ESM_YES": "true", "BULK_ESM_RATE": str(12 * SPEED)}
    assert inside(environment, "pause", "--source-type", "sqs").code == 0
    run = Cli(tmp_path).last_run()
    assert (run.path / "fleet.json").exists()
    (tmp_path / FILE).write_text(fleet.replace("us-east-1", "eu-west-1"), encoding="utf-8")
    for command in ("verify", "continue", "rollback"):
        done = inside(environment, command, run.path.name)
        assert done.code == 0, done.stderr
    refused = inside(environment, "verify", run.path.name, "--accounts", "123456789012")
    assert (refused.code, "the run says which shards" in refused.stderr) == (2, True)


def test_a_configured_region_is_no_runs(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    environment = {**simulated.environment, "BULK_ESM_RATE": str(12 * SPEED)}
    assert inside(environment, "pause", "--source-type", "sqs", "--yes").code == 0
    (tmp_path / FILE).write_text('region = "eu-west-1"\n', encoding="utf-8")
    assert inside(environment, "verify", "last").code == 0
    refused = inside(environment, "verify", "last", "--region", "eu-west-1")
    assert (refused.code, "is a run in us-east-1, not in eu-west-1" in refused.stderr) == (2, True)
    assert inside(environment, "rollback", "last", "--yes").code == 0


def test_a_run_that_is_continued_keeps_its_own_pace(tmp_path: Path, simulated: Simulated, inside: Inside) -> None:
    waves = (
        "--waves",
        "1,100%",
        "--gate",
        "test $BULK_ESM_GATE_WAVE = 0 || test -e go",
        "--max-failures",
        "3",
        "--rate",
        "1100",
    )
    assert inside(simulated.environment, "pause", "--source-type", "sqs", "--yes", *waves).code == 3
    (tmp_path / FILE).write_text('rate = 7\nmax-failures = "0"\nmax-targets = "1"\n', encoding="utf-8")
    assert inside(simulated.environment, "continue", "last", "--yes").code == 3  # its gate is still shut
    (tmp_path / "go").touch()
    assert inside(simulated.environment, "continue", "last", "--yes", "--rate", "1300").code == 0
    record = Cli(tmp_path).last_run().record
    assert [one["max_per_second"] for one in record["invocations"]] == [1100, 1100, 1300]
    assert record["rollout"]["most_failures"] == 3
    by_file = {"--rate": f"7 ({FILE}, line 1)", "--max-failures": f"0 ({FILE}, line 2)"}
    by_file["--max-targets"] = f"1 ({FILE}, line 3)"
    assert [one["configured"] for one in record["invocations"][:2]] == [{}, by_file]
    assert record["invocations"][2]["configured"].keys() == {"--max-failures", "--max-targets"}
    assert inside(simulated.environment, "rollback", "last", *YES).code == 2  # a new run is held to --max-targets


def test_a_path_of_a_file_may_begin_at_home(tmp_path: Path, own: Path, inside: Inside) -> None:
    own.write_text('runs-dir = "~/kept"\n', encoding="utf-8")
    assert inside({}, "config").records[0]["value"] == str(tmp_path / "kept")


def test_any_text_is_taken_or_refused(tmp_path: Path) -> None:
    def refuses(text: str) -> bool:
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        try:
            ConfigFile(tmp_path / FILE, is_own=True).check({"pause": lambda: frozenset({"rate"})}, lambda *_: "none")
        except UsageError:
            return True
        return False

    words = st.sampled_from(
        ["[", "]", "pause", "rate", "config-profile", ".", "=", "3", '"', "{", "}", "\n", " ", "yes", "#"]
    )

    @given(st.lists(words).map("".join))
    def check(text: str) -> None:
        refuses(text)

    check()
    assert refuses("[pause]\nyes=3")
    assert not refuses("[config-profile.pause.pause]\nrate=3")


def test_variables_that_are_none(inside: Inside) -> None:
    done = inside({"BULK_ESM_WAVE": "1", "BULK_ESM_GATE_WAVES": "3", "BULK_ESM_RAMP": "3m"}, "runs")
    assert done.code == 0
    assert [line for line in done.stderr.splitlines() if line.startswith("warning")] == [
        "warning: BULK_ESM_WAVE is the variable of no flag; did you mean BULK_ESM_WAVES?"
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a b", ["a b"]), ('["a b", "c"]', ["a b", "c"]), ("[ab]*", ["[ab]*"]), ('["a"', None), ("[]", [])],
)
def test_a_repeatable_variable_is_never_split(value: str, expected: list[str] | None, inside: Inside) -> None:
    done = inside({"BULK_ESM_FUNCTION": value}, "config", "list", "--output", "jsonl")
    if expected is None:
        assert (done.code, "BULK_ESM_FUNCTION is no JSON array" in done.stderr) == (2, True)
    else:
        assert {one["flag"]: one["value"] for one in done.records}["--function"] == expected


def test_config_shows_no_secret(inside: Inside) -> None:
    environment = {"BULK_ESM_EXTERNAL_ID": "hush", "BULK_ESM_ENDPOINT_URL": "http://me:hush@127.0.0.1:1/"}
    done = inside(environment, "config", "list", "--output", "table")
    assert done.code == 0
    assert "hush" not in done.stdout
    assert "http://***@127.0.0.1:1/" in done.stdout


def test_config_of_a_command_that_is_none(inside: Inside) -> None:
    done = inside({}, "config", "puase")
    assert (done.code, done.stderr) == (2, "bulk-esm: there is no command puase; did you mean pause?\n")


def test_what_excludes_each_other_in_one_place_stays_for_the_command_to_refuse() -> None:
    typed, file = (Setting("region", "x", "", TYPED), Setting("regions", "y", "", 9))
    assert effective([file, typed]) == {"region": typed}
    assert effective([file, Setting("region", "x", "", 9)]).keys() == {"region", "regions"}
    switched_off = Setting("organization", value=False, where="", rank=TYPED)
    accounts = Setting("accounts", "1", "", 9)
    assert effective([switched_off, accounts]).keys() == {"organization", "accounts"}
