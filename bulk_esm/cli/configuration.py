"""What was not typed of a command line: from the environment and from `bulk-esm.toml`, by cyclopts' config hook.

cyclopts' own sources do not serve: `Env` splits a value at blanks, one of JSON too, and `Toml` takes a key of another
command for a mistake.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property, partial
from typing import Any, Final

import msgspec
from cyclopts import App, Token
from cyclopts.argument import Argument, ArgumentCollection

from bulk_esm.cli.config_files import PROFILES, ConfigFile, read_files, variable_of
from bulk_esm.cli.config_rules import ENVIRONMENT, TOLD, TYPED, Setting, effective
from bulk_esm.cli.configured import configured
from bulk_esm.errors import UsageError

_PREFIX: Final = "BULK_ESM_"
_OF_GATES: Final = "BULK_ESM_GATE_"  # what a gate is told: see `bulk_esm/gates/command.py`
_TRUE: Final = frozenset({"true", "yes", "1", "on"})
_FALSE: Final = frozenset({"false", "no", "0", "off"})


class Configuration:
    """What the environment and the files say to each command of an application."""

    def __init__(self, app: App, commands: Iterable[str], *, profile: str | None = None) -> None:
        """Look at nothing yet.

        Args:
            app: the application.
            commands: its commands; what it has beside them is not configured.
            profile: the profile that holds where none is typed.
        """
        self._profile = profile
        self._commands = tuple(commands)
        self._flags: dict[str, Callable[[], frozenset[str]]] = {
            name: cache(partial(_flags_of_command, app, name)) for name in self._commands
        }

    def __call__(self, _: App, chain: tuple[str, ...], arguments: ArgumentCollection) -> None:
        """Give a command what was not typed; see `cyclopts.App.config`.

        Raises:
            UsageError: a file cannot be read, or a value makes no sense.
        """
        command = chain[0] if chain else ""
        if command not in self._flags:
            return
        named = _by_flag(arguments)
        found = self.held(command, named)
        for flag, setting in found.items():
            if setting.rank != TYPED:
                _append(named[flag], setting)
        places = {f"--{flag}": setting.where for flag, setting in found.items() if setting.rank != TYPED}
        values = {f"--{flag}": str(setting.value) for flag, setting in found.items() if setting.rank != TYPED}
        told = [f"note: --{flag} is set by {found[flag].where}" for flag in found if _is_told(found[flag])]
        configured(places, values, notes=told, warnings=self.unknown_variables(frozenset(named)))

    def held(self, command: str, arguments: dict[str, Argument]) -> dict[str, Setting]:
        """What holds for a command, by flag: what was typed, and what was not.

        Args:
            command: the command.
            arguments: its flags, with what was typed.

        Raises:
            UsageError: a file cannot be read, or says what no command heeds.
        """
        settings = [setting for flag, one in arguments.items() if (setting := _typed(flag, one)) is not None]
        settings += _variables(arguments)
        typed = next((setting for setting in settings if setting.flag == PROFILES), None)
        profile = self._profile or os.environ.get(variable_of(PROFILES)) or None if typed is None else str(typed.value)
        self._check_files(profile, typed)
        for weaker, file in enumerate(self.files):
            settings += [one for one in file.settings(command, profile, weaker=weaker) if one.flag in arguments]
        return effective(settings)

    @cached_property
    def files(self) -> list[ConfigFile]:
        """The files that are there, the stronger first."""
        return read_files()

    def unknown_variables(self, flags: frozenset[str]) -> list[str]:
        """What to say of variables that look like ours and are no flag's; others may set such, so none is refused.

        Args:
            flags: those of the command, which are looked at first.
        """
        names = [name for name in os.environ if name.startswith(_PREFIX) and not name.startswith(_OF_GATES)]
        known = {variable_of(flag) for flag in flags}
        unknown = [name for name in names if name not in known]
        for read in self._flags.values():
            if not unknown:
                return []
            known |= {variable_of(flag) for flag in read()}
            unknown = [name for name in unknown if name not in known]
        from bulk_esm.model.parameters import nearest

        return [f"warning: {name} is the variable of no flag{nearest(name, known)}" for name in sorted(unknown)]

    def _check_files(self, profile: str | None, chosen: Setting | None) -> None:
        for file in self.files:
            file.check(self._flags, self._hint)
        names = {name for file in self.files for name in file.profiles}
        if profile is not None and profile not in names:
            from bulk_esm.model.parameters import nearest

            where = " or ".join(str(file.path) for file in self.files) or "a bulk-esm.toml: there is none"
            near = nearest(profile, names)
            place = "" if chosen is None or chosen.rank == TYPED else f" ({chosen.where})"
            raise UsageError(f"--{PROFILES} {profile}{place}: there is no [{PROFILES}.{profile}] in {where}{near}")

    def _hint(self, key: str, command: str | None) -> str:
        """What to say of a key that no command heeds, or not the one of its table."""
        from bulk_esm.model.parameters import nearest

        having = [name for name, read in self._flags.items() if key in read()]
        if command is not None and having:
            return f"{command} has no flag --{key}; it is of {', '.join(having)}"
        of_these = [command] if command else self._commands
        flags = {flag for name in of_these for flag in self._flags[name]()}
        whose = f"flag of {command}" if command else "flag of any command"
        return f"{key} is no {whose}{nearest(key, flags)}; see bulk-esm {command or 'COMMAND'} --help"


def flags_of(app: App, command: str) -> dict[str, Argument]:
    """The flags of a command, by name.

    Args:
        app: the application.
        command: the command.
    """
    return _by_flag(app[command].assemble_argument_collection())


def _flags_of_command(app: App, command: str) -> frozenset[str]:
    return frozenset(flags_of(app, command))


def _by_flag(arguments: ArgumentCollection) -> dict[str, Argument]:
    return {one.name[2:]: one for one in arguments if one.parse and one.name.startswith("--")}


def _typed(flag: str, argument: Argument) -> Setting | None:
    if not argument.tokens:
        return None
    value: Any = tuple(token.value for token in argument.tokens)
    if _is_switch(argument):
        value = argument.tokens[-1].implicit_value is not False
    return Setting(flag, value[0] if flag == PROFILES else value, "the command line", TYPED)


def _variables(arguments: dict[str, Argument]) -> Iterator[Setting]:
    for flag, argument in arguments.items():
        name = variable_of(flag)
        text = os.environ.get(name, "")
        if text.strip():  # an empty one counts as none, as where a template had nothing to put in
            value: Any = text
            if _is_repeatable(argument):
                value = _several(text, name)
            elif _is_switch(argument):
                value = _switch(text, name)
            yield Setting(flag, value, name, ENVIRONMENT)


def _several(text: str, name: str) -> list[Any]:
    """The values of a repeatable flag: a JSON array, or one value, which is never split."""
    if not text.lstrip().startswith("["):
        return [text]
    try:
        return msgspec.json.decode(text, type=list[Any])
    except msgspec.DecodeError as error:
        if text.lstrip()[1:].lstrip().startswith('"'):
            raise UsageError(f'{name} is no JSON array: {error}; write it like ["one", "two"]') from error
        return [text]  # a GLOB such as [ab]*


def _switch(text: str, name: str) -> bool:
    folded = text.strip().casefold()
    if folded not in _TRUE | _FALSE:
        raise UsageError(f"{name} is {text!r}; write true or false")
    return folded in _TRUE


def _append(argument: Argument, setting: Setting) -> None:
    """Give a flag its value as if it had been typed.

    Raises:
        UsageError: it is of the wrong kind.
    """
    flag = f"--{setting.flag}"
    values = setting.value if isinstance(setting.value, list) else [setting.value]
    if isinstance(setting.value, list) and not _is_repeatable(argument):
        raise UsageError(
            f"{setting.where}: {flag} takes one value and no array; several are written as on the command "
            'line, such as "one,two"'
        )
    for index, value in enumerate(values):
        if _is_switch(argument) != isinstance(value, bool):
            what = (
                "is true or false, without quotes" if _is_switch(argument) else "takes a value, and not true or false"
            )
            raise UsageError(f"{setting.where}: {flag} {what}")
        if not isinstance(value, str | int | float):
            raise UsageError(f"{setting.where}: {flag} takes text or a number, in quotes if in doubt")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        argument.append(Token(keyword=flag, value=text, source=setting.where, index=index))


def _is_switch(argument: Argument) -> bool:
    return bool(argument.token_count()[0] == 0)


def _is_repeatable(argument: Argument) -> bool:
    return bool(argument.token_count()[1])


def _is_told(setting: Setting) -> bool:
    return setting.flag in TOLD and setting.rank != TYPED and setting.value is not False
