"""Which setting of a flag holds where several places set it, and what may not come from a file: pure decisions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

# Ranks of places; those of files follow.
TYPED: Final = 0
ENVIRONMENT: Final = 1

# What a command does to whom, and what takes a guard away: said each time, so that no file that lies around says it.
NOT_FROM_FILE: Final = frozenset(
    {
        "all",
        "yes",
        "set",
        "unset",
        "no-lock",
        "force",
        "rollback",  # of a stop
        "accept-data-loss",
        "skip-data-loss",
        "allow-irreversible",
        "config-profile",  # says which tables hold, and is no part of them
    }
)
# What runs a command, or leads requests, records or messages elsewhere. A working folder is often a repository that was
# cloned, and its file somebody else's. A scheduler sends back Python objects, which run code; what saves a plan or a
# report replaces a file.
NOT_FROM_WORKING_FOLDER: Final = frozenset(
    {
        "gate",
        "endpoint-url",
        "role-arn",
        "notify",
        "runs-dir",
        "runs-profile",
        "runs-kms-key",
        "copy-to",
        "scheduler",
        "save",
        "report",
        "html",
        "markdown",
        "json",
        "open",
    }
)
# Whose ~ the shell makes a home folder of on the command line; in a file nobody else does.
PATHS: Final = frozenset(
    "change fleet from-file plan requests runs-dir copy-to save report html markdown json".split()  # noqa: SIM905
)
# Told where a variable sets them: one that was exported and forgotten acts on every command.
TOLD: Final = (NOT_FROM_FILE - {"config-profile"}) | {"dry-run"}

_SELECT: Final = frozenset(
    "all function exclude source source-type state tag function-tag where uuid from-file".split()  # noqa: SIM905
)
_CHANGE: Final = frozenset({"set", "unset", "change"})
_ROLES: Final = frozenset({"role-name", "role-arn", "external-id"})
# Flags that exclude each other: a command refuses both from one place, and the stronger place decides between two.
_EXCLUSIVE: Final = (
    (frozenset({"region"}), frozenset({"regions"})),
    (frozenset({"role-name"}), frozenset({"role-arn"})),
    (frozenset({"fleet"}), frozenset({"accounts", "regions", "organization", "ou", "exclude-account"}) | _ROLES),
    (frozenset({"accounts"}), frozenset({"organization", "ou", "exclude-account"})),
    (frozenset({"organization"}), frozenset({"ou"})),
    (frozenset({"plan"}), _SELECT | _CHANGE | {"requests", "allow-irreversible", "allow-unknown"}),
    (frozenset({"requests"}), _CHANGE),
    (frozenset({"run", "all-paused"}), _SELECT),
    (frozenset({"run"}), frozenset({"all-paused"})),
    (frozenset({"accept-data-loss"}), frozenset({"skip-data-loss"})),
    (frozenset({"confirm-waves"}), frozenset({"approve-waves"})),
)


class Setting(NamedTuple):
    """What one place says of one flag.

    Attributes:
        flag: its name, without the hyphens before it.
        value: as a variable has it (a string), or a file.
        where: the place, such as `BULK_ESM_RATE` or `bulk-esm.toml, line 3`.
        rank: how strong it is: the lower the stronger; `TYPED` is the command line.
    """

    flag: str
    value: Any
    where: str
    rank: int


def effective(settings: Iterable[Setting]) -> dict[str, Setting]:
    """What holds: of each flag the strongest setting, and of flags that exclude each other those that were set there.

    Args:
        settings: of one command, those that were typed included.
    """
    found: dict[str, Setting] = {}
    for setting in sorted(settings, key=lambda one: one.rank):
        stronger = {flag for flag, other in found.items() if other.rank < setting.rank and other.value is not False}
        if setting.flag not in found and not stronger & _excluded_by(setting.flag):
            found[setting.flag] = setting
    return found


def _excluded_by(flag: str) -> frozenset[str]:
    """The flags that exclude one."""
    either = [other for one, other in _EXCLUSIVE if flag in one] + [one for one, other in _EXCLUSIVE if flag in other]
    return frozenset().union(*either)
