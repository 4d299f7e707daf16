"""What a command line says of how to complain about it, before it could be read, or although it could not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from bulk_esm.cli.config_files import variable_of
from bulk_esm.cli.configured import configured_value

_FALSE: Final = frozenset({"false", "no", "0", "off"})


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether all of stderr is to be JSON-lines.

    Args:
        arguments: the command line.
    """
    typed = [word.partition("=")[2] for word in arguments if word.startswith("--log-format=")]
    typed += [after for word, after in pairwise(arguments) if word == "--log-format"]
    return (typed[-1] if typed else _untyped("log-format")) == "json"


def wants_detailed_exit_code(arguments: Sequence[str]) -> bool:
    """Whether 2 is to mean changes, so that nothing else may.

    Args:
        arguments: the command line.
    """
    typed = [word for word in arguments if word.partition("=")[0] == "--detailed-exitcode"]
    said = (typed[-1].partition("=")[2] or "true") if typed else _untyped("detailed-exitcode")
    return bool(said) and said.casefold() not in _FALSE


def _untyped(flag: str) -> str:
    """What a variable says, or a file that was read already."""
    return os.environ.get(variable_of(flag), "").strip() or configured_value(f"--{flag}")
