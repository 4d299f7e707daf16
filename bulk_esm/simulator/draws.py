"""Randomness without state: a draw depends on its key alone, not on how many draws came before it.

That is what makes a run repeat: a mapping's third settle time is the same in whatever order requests arrive.
"""

from __future__ import annotations

import hashlib
from typing import Final

_BITS: Final = 53  # of a float's mantissa


def draw(*key: object) -> float:
    """Draw a number in [0, 1) from a key.

    Args:
        key: what the draw is for: the seed, a name for the purpose, then whatever tells this draw from the next.

    Returns:
        The same number for the same key, in every process and version of Python.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> (64 - _BITS)) / (1 << _BITS)
