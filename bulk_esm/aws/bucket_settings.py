"""Which bucket, and how it is reached: known without any client of AWS."""

from __future__ import annotations

import msgspec


class BucketSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where objects are, and how they are reached.

    Attributes:
        bucket: its name.
        prefix: what all keys begin with, with a `/` at its end unless it is empty.
        profile: a profile of the AWS configuration files, or None.
        region: where the bucket is asked for; by default what the environment or the profile says.
        kms_key: encrypts what is written; None for what the bucket does by itself.
    """

    bucket: str
    prefix: str
    profile: str | None = None
    region: str | None = None
    kms_key: str | None = None

    @property
    def url(self) -> str:
        """As a user names it."""
        return f"s3://{self.bucket}/{self.prefix}"
