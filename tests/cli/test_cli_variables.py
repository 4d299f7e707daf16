"""Every flag of every command is a variable too, and reaches the command: generated from the flags themselves."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from cyclopts.argument import Argument

from bulk_esm.cli.app import COMMANDS, make_app
from bulk_esm.cli.config_files import variable_of
from bulk_esm.cli.config_rules import NOT_FROM_FILE
from bulk_esm.cli.configuration import Configuration, flags_of
from bulk_esm.errors import UsageError

APP = make_app()
RUN_TAKERS = ("rollback", "continue", "hold", "go", "stop", "approve", "verify", "show", "report")
OPERANDS = {**dict.fromkeys(RUN_TAKERS, "RUN"), "unlock": "SHARD", "completion": "bash"}
FLAGS = {command: flags_of(APP, command) for command in COMMANDS}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def sample(argument: Argument) -> tuple[str, Any, Any]:
    """What a variable and a file may hold for a flag, and what its command gets then."""
    (kind, *_) = [one for one in get_args(argument.hint) if one is not NoneType] or [argument.hint]
    if get_origin(argument.hint) is Literal:
        kind = argument.hint
    of = kind
    is_repeatable = argument.token_count()[1]
    choices = [one for one in get_args(of) if one != argument.field_info.default]
    if choices:
        texts: list[Any] = choices[:2]
    elif argument.parameter.converter is not None:
        return "90s", "90s", 90.0
    else:
        texts = [str(NUMBERS[of])] if of in NUMBERS else ["one two", '["three"]']
    if is_repeatable:
        return json.dumps(texts), texts, tuple(texts)
    if of is bool:
        return "true", True, True
    of_file = NUMBERS.get(of, texts[0])
    return texts[0], of_file, Path(texts[0]) if of is Path else of_file


NUMBERS = {int: 7, float: 7.5}


def leaves(arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in arguments.items():
        if is_dataclass(value):
            yield from leaves({f"{name}.{each.name}": getattr(value, each.name) for each in fields(value)})
        else:
            yield name, value


def bound(command: str) -> dict[str, Any]:
    """What a command gets of which nothing is typed."""
    words = [command, *OPERANDS.get(command, "").split()]
    APP.config = (Configuration(APP, COMMANDS),)  # which reads the files anew
    function, found, _ = APP.parse_args(words, exit_on_error=False, print_error=False)
    assert function.__name__ == f"{command}_command"
    found.apply_defaults()
    return dict(leaves(found.arguments))


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[Any]:
    assert before.keys() == after.keys()
    return [after[name] for name in after if after[name] != before[name]]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_flag_is_a_variable(command: str) -> None:
    before = bound(command)
    for flag, argument in FLAGS[command].items():
        text, _, value = sample(argument)
        if flag == "config-profile":
            Path("bulk-esm.toml").write_text(f"[config-profile.{json.dumps(text)}]\n", encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(variable_of(flag), text)
            assert changed(before, bound(command)) == [value], flag


@pytest.mark.parametrize("command", COMMANDS)
def test_each_flag_is_a_key_of_ones_own_file(command: str, tmp_path: Path) -> None:
    before = bound(command)
    (tmp_path / "bulk-esm").mkdir(mode=0o700)
    for flag, argument in FLAGS[command].items():
        _, of_file, value = sample(argument)
        written = json.dumps(of_file)  # which is TOML too, as far as these go
        (tmp_path / "bulk-esm" / "bulk-esm.toml").write_text(f"{flag} = {written}\n", encoding="utf-8")
        if flag in NOT_FROM_FILE:
            with pytest.raises(UsageError, match=f"bulk-esm.toml, line 1: .*--{flag}"):
                bound(command)
        else:
            assert changed(before, bound(command)) == [value], flag


def test_there_are_flags() -> None:
    assert sum(map(len, FLAGS.values())) > 300
