"""`bulk-esm.toml`: where it lies, and what it says to a command.

    rate = 10                        for every command that has --rate

    [pause]                          for one command
    waves = "1,10%,100%"

    [config-profile.prod]            for --config-profile prod
    [config-profile.prod.pause]      for one command there

The more particular table holds, and a profile, which was chosen, over what is said for all; between two files of equal
tables that of the working folder.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from bulk_esm.cli.config_rules import NOT_FROM_FILE, NOT_FROM_WORKING_FOLDER, PATHS, Setting
from bulk_esm.errors import UsageError

FILE: Final = "bulk-esm.toml"
PROFILES: Final = "config-profile"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_KEY: Final = re.compile(r"\s*([^=#\[\]]+?)\s*=")
_TABLE: Final = re.compile(r"\s*\[([^\[\]]+)\]")


def xdg_file() -> Path | None:
    """The file of the user's own configuration folder, whether it is there or not; None without such a folder.

    What is no absolute path is passed over: https://specifications.freedesktop.org/basedir-spec.
    """
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        place = Path(folder) if Path(folder).is_absolute() else Path.home() / ".config"
    except RuntimeError:  # this user has no home
        return None
    return place / "bulk-esm" / FILE


class ConfigFile:
    """One file.

    Attributes:
        path: the file.
        is_own: whether it is the user's own, so that it may say what runs commands.
    """

    def __init__(self, path: Path, *, is_own: bool) -> None:
        """Read it.

        Raises:
            UsageError: it cannot be read, or is no TOML.
        """
        import tomllib  # only where there is a file

        self.path = path
        self.is_own = is_own
        try:
            self._text = path.read_text(encoding="utf-8")
            self.content: dict[str, Any] = tomllib.loads(self._text)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # also what is no text, a number without end, arrays in arrays
            raise UsageError(f"{path} is not TOML: {error}") from error

    @property
    def profiles(self) -> Mapping[str, Any]:
        """The tables of profiles, by name."""
        found = self.content.get(PROFILES, {})
        return found if isinstance(found, dict) else {}

    def tables(self, command: str, profile: str | None) -> Iterator[tuple[tuple[str, ...], int]]:
        """The tables that say something to a command, and how particular each is: the lower the more."""
        if profile is not None and profile in self.profiles:
            yield (PROFILES, profile, command), 0
            yield (PROFILES, profile), 1
        yield (command,), 2
        yield (), 3

    def settings(self, command: str, profile: str | None, *, weaker: int) -> Iterator[Setting]:
        """What it says to a command.

        Args:
            command: the command.
            profile: the profile that was chosen, or None.
            weaker: 1 for the file that gives way to the other one, else 0.
        """
        for table, rank in self.tables(command, profile):
            for key, value in _at(self.content, table).items():
                if not isinstance(value, dict):
                    found = _at_home(value) if key in PATHS else value
                    yield Setting(key, found, self.where((*table, key)), 2 + 2 * rank + weaker)

    def check(self, flags: Mapping[str, Callable[[], frozenset[str]]], hint: Callable[[str, str | None], str]) -> None:
        """Refuse what no command would heed, and what may not be said in a file.

        Args:
            flags: reads the flags of a command, by its name.
            hint: what to say of a key that is no flag, or none of a command.

        Raises:
            UsageError: there is such a key.
        """
        for table, content in self._all_tables(flags):
            command = table[-1] if table and table[-1] in flags and table != (PROFILES, table[-1]) else None
            for key, value in content.items():
                if isinstance(value, dict):
                    continue
                self._check_key((*table, key), key)
                there = (command,) if command else tuple(flags)
                if not any(key in flags[name]() for name in there):
                    raise UsageError(f"{self.where((*table, key))}: {hint(key, command)}")

    def _all_tables(self, commands: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        yield (), self.content
        for name, table in self.content.items():
            if name == PROFILES and isinstance(table, dict):
                for profile, content in table.items():
                    if not isinstance(content, dict):
                        where = self.where((PROFILES, profile))
                        raise UsageError(f"{where}: write a table: [{PROFILES}.NAME], and below it what holds there")
                    yield (PROFILES, profile), content
                    yield from self._of_commands((PROFILES, profile), content, commands)
        tables = {name: table for name, table in self.content.items() if name != PROFILES}
        yield from self._of_commands((), tables, commands)

    def _of_commands(
        self, above: tuple[str, ...], content: Mapping[str, Any], commands: Mapping[str, Any]
    ) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        from bulk_esm.model.parameters import nearest

        for name, table in content.items():
            if not isinstance(table, dict):
                continue
            where = self.where((*above, name))
            if name not in commands:
                near = nearest(name, [*commands, PROFILES])
                raise UsageError(f"{where}: [{name}] is no command{near}; a table is [COMMAND] or [{PROFILES}.NAME]")
            for key, value in table.items():
                if isinstance(value, dict):
                    raise UsageError(f"{self.where((*above, name, key))}: no flag takes a table")
            yield (*above, name), table

    def _check_key(self, path: tuple[str, ...], key: str) -> None:
        where, variable = self.where(path), variable_of(key)
        if key == PROFILES:
            raise UsageError(f"{where}: a file does not choose the profile: --{key} and {variable} do")
        if key in NOT_FROM_FILE:
            what = f"--{key} does not come from a file: it is said each time"
            raise UsageError(f"{where}: {what}; give it on the command line, or in a job as {variable}")
        if key in NOT_FROM_WORKING_FOLDER and not self.is_own:
            what = f"--{key} comes from your own file alone, as this one may be somebody else's"
            own = xdg_file()
            place = f"move it to {own} (yours, mode 0644 or less), or " if own else ""
            raise UsageError(f"{where}: {what}; {place}give it as --{key} or {variable}")

    def where(self, path: tuple[str, ...]) -> str:
        """The place of a key, by its line where that can be told."""
        above = (path[:length] for length in range(len(path), 0, -1))  # of a table in a line it is that line
        line = next((self._lines[one] for one in above if one in self._lines), None)
        return f"{self.path}, line {line}" if line else f"{self.path}, {'.'.join(path)}"

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        """The lines of keys and tables, which the standard library's reader does not tell."""
        found: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._text.splitlines(), start=1):
            if header := _TABLE.match(line):
                table = _names(f"[{header[1]}]")
                found.setdefault(table, number)
            elif (key := _KEY.match(line)) and (names := _names(f"{key[1]} = 0")):
                found.setdefault((*table, *names), number)
        return found


def read_files() -> list[ConfigFile]:
    """The files that are there, the stronger first.

    Raises:
        UsageError: one cannot be read.
    """
    here, own = Path(FILE), xdg_file()
    try:
        has_own = own is not None and own.is_file()
        if own is not None and has_own and here.is_file() and here.samefile(own):
            return [ConfigFile(own, is_own=_is_own(own))]
        found = [ConfigFile(here, is_own=False)] if here.is_file() else []
        return [*found, ConfigFile(own, is_own=_is_own(own))] if own is not None and has_own else found
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error


def variable_of(flag: str) -> str:
    """The environment variable of a flag."""
    return f"BULK_ESM_{flag.upper().replace('-', '_')}"


def _at_home(value: Any) -> Any:
    """A path, or several, with ~ as the home folder."""
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    return os.path.expanduser(value) if isinstance(value, str) else value  # noqa: PTH111 - a Path makes s3:/ of s3://


def _is_own(path: Path) -> bool:
    """Whether nobody but the user, or root, writes it."""
    found = path.stat()
    return found.st_uid in (os.geteuid(), 0) and not found.st_mode & _OTHERS_WRITE


def _at(content: Mapping[str, Any], table: tuple[str, ...]) -> Mapping[str, Any]:
    for name in table:
        found = content.get(name)
        if not isinstance(found, dict):
            return {}
        content = found
    return content


def _names(text: str) -> tuple[str, ...]:
    """The names of a line's key or table; none within a string of several lines."""
    import tomllib

    try:
        found: Any = tomllib.loads(text)
    except ValueError:
        return ()
    names = []
    while isinstance(found, dict) and found:
        ((name, found),) = found.items()
        names.append(name)
    return tuple(names)
