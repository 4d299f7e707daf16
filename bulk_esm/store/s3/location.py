"""Where runs are kept, as it is typed: `s3://BUCKET/PREFIX`, or a folder."""

from __future__ import annotations

import re
from typing import Final

from bulk_esm.aws.bucket_settings import BucketSettings
from bulk_esm.errors import UsageError

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(/{1,2})(.*)", re.DOTALL)
# As S3 takes them for new buckets and for the aliases of access points.
_BUCKET: Final = re.compile(r"(?=.{3,63}\Z)[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*(?<!-)\Z")
_ADDRESS: Final = re.compile(r"\d+\.\d+\.\d+\.\d+\Z")
_MOST_BYTES: Final = 512  # S3 takes keys of 1,024: the rest is for what comes below


def parse_location(text: str) -> BucketSettings | None:
    """Read where runs are kept.

    Args:
        text: as it was typed.

    Returns:
        The bucket and prefix, without profile, Region and key; None for a folder.

    Raises:
        UsageError: it is neither, or no bucket can have that name.
    """
    found = _SCHEME.match(text)
    if found is None:
        return None
    scheme, slashes, rest = found.groups()
    if scheme.lower() != "s3":
        if slashes == "/":
            return None  # a folder whose name ends with a colon
        raise UsageError(f"runs are kept in a folder or in s3://BUCKET/PREFIX, not in {text}")
    if slashes == "/":
        raise UsageError(f"{text} lacks a slash: s3://{rest}; a folder of that name is ./{text}")
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.rstrip("/")
    if reason := _unfit_bucket(bucket) or _unfit_prefix(prefix):
        raise UsageError(f"{text}: {reason}; give it as s3://BUCKET/PREFIX")
    return BucketSettings(bucket=bucket, prefix=f"{prefix}/" if prefix else "")


def _unfit_bucket(bucket: str) -> str | None:
    if not bucket:
        return "the bucket is missing"
    if any(mark in bucket for mark in "?#"):
        return "nothing but a bucket and a prefix can be given, no query and no fragment"
    if not _BUCKET.match(bucket) or _ADDRESS.match(bucket):
        return f"no bucket is called {bucket!r}: 3 to 63 lower-case letters, digits, hyphens and dots"
    return None


def _unfit_prefix(prefix: str) -> str | None:
    if any(mark in prefix for mark in "?#"):  # could be keys, but are more likely meant as something else
        return "nothing but a bucket and a prefix can be given, no query and no fragment"
    if prefix and any(part in {"", ".", ".."} for part in prefix.split("/")):
        return "a part of the prefix is empty, or a dot, which some clients take for a step"
    if not prefix.isprintable() or "\\" in prefix:
        return "a prefix is of printable characters, without a backslash"
    if len(prefix.encode(errors="surrogatepass")) > _MOST_BYTES:
        return f"a prefix has at most {_MOST_BYTES} bytes"
    return None
