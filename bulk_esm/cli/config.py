"""`bulk-esm config`: what is configured, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from bulk_esm.cli.options import OutputOptions
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from cyclopts.argument import Argument

    from bulk_esm.cli.config_rules import Setting
    from bulk_esm.cli.output import Row

_COLUMNS = ("flag", "value", "from", "commands")


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a flag has where it is not typed.

    Attributes:
        flag: the flag.
        value: what it has; null if it has no value of its own.
        source: `environment`, `file` or `default`.
        where: the variable, or the file and its line; null for a default.
        commands: for which commands that holds.
    """

    flag: str
    value: Any
    source: str
    where: str | None
    commands: tuple[str, ...]


def config_command(
    command: Annotated[
        str | None, Parameter(name="COMMAND", help="A command, such as pause: all of its flags.")
    ] = None,
    /,
    *,
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show what is configured by BULK_ESM_ variables and bulk-esm.toml, and where; of one COMMAND what each flag has.

    Each flag is also a variable (--runs-dir is BULK_ESM_RUNS_DIR), and a key of bulk-esm.toml in the working folder or
    in $XDG_CONFIG_HOME/bulk-esm: at its top for all commands, or in a table [COMMAND], [config-profile.NAME] or
    [config-profile.NAME.COMMAND]. What is typed holds first, then the variable, then the most particular table.

    Example: bulk-esm config pause
    """
    from bulk_esm.cli.app import COMMANDS, make_app
    from bulk_esm.cli.configuration import Configuration, flags_of
    from bulk_esm.cli.output import Results, form_for
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.cli.streams import say
    from bulk_esm.model.parameters import nearest

    set_up_logs(output)
    if command is not None and command not in COMMANDS:
        raise UsageError(f"there is no command {command}{nearest(command, COMMANDS)}")
    app = make_app()
    configuration = Configuration(app, COMMANDS, profile=output.config_profile)
    flags = {name: flags_of(app, name) for name in ([command] if command else COMMANDS)}
    found = {name: configuration.held(name, arguments) for name, arguments in flags.items()}
    results = Results(form_for(output.output), _COLUMNS, _row)
    results.add_all(_of_one(command, flags[command], found[command]) if command else _configured(found))
    results.finish()
    files = ", ".join(str(file.path) for file in configuration.files)
    say(f"read: {files}" if files else _where_files_may_be(), quiet=output.quiet)
    return 0


def _of_one(command: str, arguments: dict[str, Argument], found: dict[str, Setting]) -> Iterator[Held]:
    for flag, argument in sorted(arguments.items()):
        if flag in found:
            yield _held(found[flag], (command,))
        else:
            shown = argument.show_default
            value = shown if isinstance(shown, str) else argument.field_info.default
            yield Held(flag=f"--{flag}", value=_plain(value), source="default", where=None, commands=(command,))


def _configured(found: dict[str, dict[str, Setting]]) -> Iterator[Held]:
    """What is configured, with the commands for which each holds."""
    commands: dict[tuple[str, str], list[str]] = {}
    settings: dict[tuple[str, str], Setting] = {}
    for command, of_command in found.items():
        for flag, setting in of_command.items():
            settings[flag, setting.where] = setting
            commands.setdefault((flag, setting.where), []).append(command)
    for key, setting in sorted(settings.items()):
        yield _held(setting, tuple(commands[key]))


def _held(setting: Setting, commands: tuple[str, ...]) -> Held:
    from bulk_esm.cli.config_rules import ENVIRONMENT
    from bulk_esm.model.redacting import redacted_value

    source = "environment" if setting.rank == ENVIRONMENT else "file"
    value = redacted_value(setting.flag, _plain(setting.value))
    return Held(flag=f"--{setting.flag}", value=value, source=source, where=setting.where, commands=commands)


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _where_files_may_be() -> str:
    from bulk_esm.cli.config_files import FILE, xdg_file

    own = xdg_file()
    return f"there is no {FILE} here" + (f", and no {own}" if own else "")


def _row(held: Held) -> Row:
    from bulk_esm.cli.app import COMMANDS

    values = held.value if isinstance(held.value, list) else [held.value]
    shown = ", ".join("-" if one is None else str(one).lower() if isinstance(one, bool) else str(one) for one in values)
    commands = "all" if len(held.commands) == len(COMMANDS) else ", ".join(held.commands)
    return (held.flag, shown or "-", held.where or held.source, commands)
