"""Questions on the terminal: anything but yes is no."""

from __future__ import annotations

import sys
from typing import Final

import anyio

from bulk_esm.cli.streams import say
from bulk_esm.errors import RefusedError

_EASILY: Final = 500  # updates of one account that a y is enough for


def can_ask() -> bool:
    """Whether there is a terminal to ask at."""
    return sys.stdin.isatty()


async def ask(question: str) -> bool:
    """Ask for yes or no."""
    return (await _answer(f"{question} [y/N] ")).casefold() in {"y", "yes"}


async def require_consent(question: str, *, updates: int, accounts: int) -> None:
    """Ask whether to send updates; where they are many, or of several accounts, for their number, as y is typed easily.

    Args:
        question: what would be done.
        updates: how many there are.
        accounts: of how many accounts.

    Raises:
        RefusedError: the answer was not yes.
    """
    if updates <= _EASILY and accounts <= 1:
        consents = await ask(question)
    else:
        consents = (await _answer(f"{question} Type the number of mappings: ")).replace(",", "") == str(updates)
    if not consents:
        raise RefusedError("the answer was not yes: nothing was changed")


async def _answer(question: str) -> str:
    say(question, end="")
    await anyio.wait_readable(sys.stdin)  # a thread that reads would outlive Ctrl-C, until Enter is pressed
    return sys.stdin.readline().strip()
