"""Whether a gate's command could be run at all, before anything is sent."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import Final

# What a shell expands, or what begins more than a simple command: only to run it would tell.
_NOT_PLAIN: Final = re.compile(r"[$`~*?\[\]{}()<>|&;!#]")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def problem_of(command: str) -> str | None:
    """Say why a command cannot be run here, as far as that can be told without running it; None if it can be.

    Args:
        command: for the shell.
    """
    if "\0" in command:
        return "it has a NUL"
    checked = _shell("-n", "-c", command)  # reads it, and runs nothing
    if checked.returncode:
        return f"the shell cannot read it: {checked.stderr.strip()}"
    word = _first_word(command)
    if word is None:
        return None
    if "/" in word:
        return _problem_of_file(word)
    # Functions, keywords and what the shell has itself are found too.
    found = _shell("-c", 'command -v -- "$1"', "sh", word)
    return f"there is no command {word}" if found.returncode else None


def _problem_of_file(path: str) -> str | None:
    if os.path.isdir(path):  # noqa: PTH112 - as the shell would take it, whatever is in it
        return f"{path} is a folder"
    if not os.path.exists(path):  # noqa: PTH110 - likewise
        return f"there is no {path}"
    return None if os.access(path, os.X_OK) else f"{path} is not executable; chmod +x {shlex.quote(path)}"


def _shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - what is run is fixed
        ["/bin/sh", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )


def _first_word(command: str) -> str | None:
    """The command's first word that is no assignment, if that is plain."""
    lexer = shlex.shlex(command.strip().partition("\n")[0], posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:  # a quotation that goes on in the next line
        return None
    words = [word for word in words if not _ASSIGNMENT.match(word)]
    if not words or _NOT_PLAIN.search(words[0]) or words[1:2] == ["()"]:  # the last defines a function
        return None
    return words[0]
