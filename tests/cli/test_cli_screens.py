"""What is on a screen of 80 and of 140 columns: no cell is folded, and nothing is left behind when its size changes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_harness import ACCOUNT, FAST, Cli, Simulated
from cli_screen import at_screen

from bulk_esm.simulator import Denial, Faults, make_fleet

COUNT = 16
YES = ("--yes", *FAST)
OTHER = "222222222222"
FLEET = ("--accounts", f"{ACCOUNT},{OTHER}", "--regions", "us-east-1,eu-west-1", "--role-name", "x")
HOSTILE = "<script>alert(1)</script>\x1b[2J\x1b[31m\r\u202e"
WIDTHS = pytest.mark.parametrize("columns", [80, 140])


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cli, list[str]]]:
    """A run that paused all, and the UUIDs."""
    with Simulated(mappings=COUNT) as simulated:
        cli = Cli(tmp_path_factory.mktemp("screens"), simulated.environment)
        assert cli("pause", "--all", *YES).code == 0
        uuids = [uuid for uuid, count in simulated.accepted().items() if count]
        for uuid in uuids:
            simulated.change_behind(uuid, State="Enabled")
        yield cli, uuids


COMMANDS = {
    "list": ("list", *FAST),
    "show": ("show", "last"),
    "verify": ("verify", "last", *FAST),
    "plan": ("plan", "--all", "--set", "BatchSize=7", *FAST),
}


@WIDTHS
@pytest.mark.parametrize("command", COMMANDS)
def test_each_mapping_has_a_line_of_its_own(command: str, columns: int, paused: tuple[Cli, list[str]]) -> None:
    cli, uuids = paused
    with at_screen(cli, *COMMANDS[command], columns=columns) as terminal:
        terminal.end()
    heading = next(index for index, line in enumerate(terminal.lines) if line.startswith("function "))
    assert terminal.lines[heading].split()[1] == "uuid"
    rows = [line for line in terminal.lines[heading + 1 :] if re.search(r"  [0-9a-f]{8}(  |-| *$)", line)]
    assert rows == terminal.lines[heading + 1 : heading + 1 + len(rows)]
    assert len(rows) == (len(uuids) if command == "verify" else COUNT)
    for uuid in uuids:
        assert sum(f"  {uuid[:8]}" in row for row in rows) == 1
    column = terminal.lines[heading].index("uuid")
    assert all(row[column - 2 : column] == "  " for row in rows)
    says = terminal.lines[heading + 1 + len(rows) :]
    assert all(len(line) <= columns for line in says)
    assert not any(line.endswith(("mapp", "reques")) for line in says)


def test_wide_shows_all(paused: tuple[Cli, list[str]]) -> None:
    cli, uuids = paused
    with at_screen(cli, "list", "--wide", *FAST, columns=80) as terminal:
        assert terminal.end() == 0
    whole = "".join(f"{line:80}" for line in terminal.lines)  # which the terminal has folded
    assert all(uuid in whole for uuid in uuids)


@WIDTHS
@pytest.mark.parametrize("places", [(), FLEET], ids=["run", "fleet"])
def test_progress_in_a_terminal_that_changes_its_size(columns: int, places: tuple[str, ...], tmp_path: Path) -> None:
    """A soak that does not end by itself holds the picture still, but for its countdown."""
    with Simulated(mappings=COUNT) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        waves = ("--waves", "1,100%", "--soak", "10m", "--gate", "exit 0", *places)
        with at_screen(cli, "pause", "--all", *YES, *waves, columns=columns) as terminal:
            terminal.wait_until(lambda text: " left" in text and "soaking, " in text)
            assert "after wave 1: gate 'exit 0': well" in terminal.text  # above the picture, and it stays there
            for width in (44, columns):
                terminal.resize(width)
                before = countdown(terminal.text)
                terminal.wait_until(lambda text, before=before: countdown(text) not in (None, before))  # type: ignore[misc]
                check_picture(terminal.lines, shards=4 if places else 0)
            terminal.type("\x03")
            assert terminal.end() == 130
    assert "soaking" not in terminal.text  # taken off the screen
    assert "█" not in terminal.text
    assert terminal.text.count("after wave 1: gate 'exit 0': well") == 1
    assert "stopping: nothing more is sent" in terminal.text
    (command,) = (line for line in terminal.lines if "bulk-esm continue " in line)
    assert command.endswith(cli.run_folders()[-1].name)  # to be pasted as it is


def countdown(text: str) -> str | None:
    found = re.findall(r"soaking, ([0-9:]+) left", " ".join(text.split()))
    return found[-1] if found else None


def check_picture(lines: list[str], *, shards: int) -> None:
    """It is there once, and what is above it is there too."""
    text = "\n".join(lines)
    assert text.count("soaking") == 1, text
    assert sum("█" in line for line in lines) == 1, text
    assert sum(line.startswith("pause 20") for line in lines) == 1, text
    assert "1 updated" in text
    assert sum(line.startswith((ACCOUNT, OTHER)) for line in lines) == shards, text
    assert " ".join(text.split()).count("after wave 1: gate") == 1, text


def test_a_stop_counts_down(tmp_path: Path) -> None:
    with Simulated(mappings=COUNT, settle_scale=1000.0) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        with at_screen(cli, "pause", "--all", *YES, "--grace", "1h", columns=80) as terminal:
            terminal.wait_until(lambda text: re.search(r" [1-9]\d* settling", text) is not None)
            terminal.wait_until(lambda text: "▒" in text)  # sent, and not settled
            terminal.type("\x03")
            terminal.wait_until(
                lambda text: re.search(r"^stopping: \d+ settling, at most ", text, re.MULTILINE) is not None
            )
            terminal.type("\x03")
            assert terminal.end() == 130
    assert "left at once; to finish it:" in " ".join(terminal.text.split())


def test_what_there_is_to_do_is_told_in_full(tmp_path: Path) -> None:
    denied = Denial(action="lambda:GetEventSourceMapping")
    with (
        Simulated(mappings=COUNT, faults=Faults(denials=(denied,))) as simulated,
        at_screen(Cli(tmp_path, simulated.environment), "doctor", columns=80) as terminal,
    ):
        terminal.end()
    (row,) = (line for line in terminal.lines if line.startswith("lambda:GetEventSourceMapping"))
    assert row.endswith("…")
    told = " ".join(terminal.text.partition("\nwarning: lambda:GetEventSourceMapping: ")[2].split())
    assert ". To do: " in told


def test_hostile_names_are_inert_on_a_screen(tmp_path: Path) -> None:
    fleet = make_fleet(8)
    for mapping in fleet.mappings:
        mapping["FunctionArn"] = f"{mapping['FunctionArn'].rpartition(':function:')[0]}:function:{HOSTILE}"
    with Simulated(fleet=fleet, mappings=0) as simulated:
        cli = Cli(tmp_path, simulated.environment)
        for form in ("table", "csv"):
            with at_screen(cli, "list", "--output", form, *FAST, columns=140) as terminal:
                assert terminal.end() == 0
            assert terminal.text.count("<script>alert(1)</script>") >= 8
            assert r"\u001b[2J\u001b[31m\u000d\u202e" in terminal.text
            assert terminal.lines[0].startswith(("function ", "uuid,"))
        refuses = ("--gate", f"echo '{HOSTILE}'; exit 1", "--waves", "1,100%")
        with at_screen(cli, "pause", "--all", *YES, *refuses, columns=80) as terminal:
            assert terminal.end() == 3
        assert "pause halted" in terminal.text
        assert "8 mappings selected" in terminal.text  # nothing has cleared the screen
