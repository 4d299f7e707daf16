"""Amounts as users write them: a count, or a percentage of something that is not known yet."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import ceil

import msgspec

from bulk_esm.errors import UsageError


class Amount(msgspec.Struct, frozen=True):
    """A count, or a percentage.

    Attributes:
        text: as it was written: `10`, `2%` or `0.5%`.
    """

    text: str

    @classmethod
    def parse(cls, text: str, flag: str) -> Amount:
        """Read an amount.

        Args:
            text: `10`, `2%` or `0.5%`.
            flag: what to name in the message.

        Raises:
            UsageError: it is neither, or above 100 %.
        """
        amount = cls(text.strip())
        if not re.fullmatch(r"[0-9]+|[0-9]+(\.[0-9]+)?%", amount.text):
            raise UsageError(f"{flag}: {text!r} is no amount; write a count such as 10, or a percentage such as 2%")
        if amount.is_share and amount.number > 100:  # noqa: PLR2004 - per cent
            raise UsageError(f"{flag}: {text} is more than all; a percentage is at most 100%")
        return amount

    @property
    def is_share(self) -> bool:
        """Whether it is a percentage."""
        return self.text.endswith("%")

    @property
    def number(self) -> Decimal:
        """The count or the percentage; exact, so that 5 % of 1,000 is 50."""
        return Decimal(self.text.removesuffix("%"))

    def of(self, total: int) -> int:
        """The number that it comes to.

        Args:
            total: what a percentage is of; it is rounded up, so that 1 % of a few is one.
        """
        return ceil(Fraction(self.number) * total / 100) if self.is_share else int(self.number)

    def __str__(self) -> str:
        return self.text
