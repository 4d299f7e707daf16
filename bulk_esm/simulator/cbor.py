"""CBOR (RFC 8949), as SDKs speak it with CloudWatch: JSON's values."""

from __future__ import annotations

import struct
from typing import Any

from botocore.parsers import RpcV2CBORParser


def encode(value: Any) -> bytes:  # noqa: PLR0911 - one for each kind of value
    """Encode a JSON value.

    Args:
        value: the value.
    """
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case float():
            return b"\xfb" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return _head(3, len(text)) + text
        case dict():
            return _head(5, len(value)) + b"".join(encode(part) for pair in value.items() for part in pair)
        case _:
            return _head(4, len(value)) + b"".join(map(encode, value))


def _head(major: int, argument: int) -> bytes:
    if argument < 24:  # noqa: PLR2004 - the format's own
        return bytes([major << 5 | argument])
    size = next(size for size in (1, 2, 4, 8) if argument < 1 << 8 * size)
    return bytes([major << 5 | 23 + size.bit_length()]) + argument.to_bytes(size)


def decode(data: bytes) -> Any:
    """Decode a value that an SDK has sent.

    Args:
        data: the bytes.
    """
    parser = RpcV2CBORParser()
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(data))
