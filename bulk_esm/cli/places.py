"""Opens where runs are kept, as the flags name it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bulk_esm.errors import UsageError
from bulk_esm.store.place import RunsFolder, RunsPlace
from bulk_esm.store.s3.location import parse_location

if TYPE_CHECKING:
    from bulk_esm.aws.bucket_settings import BucketSettings
    from bulk_esm.cli.options import AwsOptions, RunsOptions
    from bulk_esm.store.s3.place import S3Place

_open: Final[list[S3Place]] = []


def place_for(runs: RunsOptions, aws: AwsOptions | None = None) -> RunsPlace:
    """Where runs are kept; a bucket is reached with the credentials that the other flags name.

    Args:
        runs: the flags of the place.
        aws: those of the credentials, where the command has them.

    Raises:
        UsageError: it is no place, or a flag that makes no sense there.
    """
    settings = bucket_settings(runs, aws)
    return RunsFolder(Path(runs.runs_dir)) if settings is None else _in_s3(settings)


def bucket_settings(runs: RunsOptions, aws: AwsOptions | None = None) -> BucketSettings | None:
    """The bucket in which runs are kept; None if it is a folder. See `place_for`."""
    settings = parse_location(runs.runs_dir)
    if settings is None:
        if runs.runs_kms_key is not None or runs.runs_profile is not None:
            raise UsageError("--runs-kms-key and --runs-profile are for --runs-dir s3://BUCKET/PREFIX")
        return None
    profile = runs.runs_profile or (aws.profile if aws is not None else None)
    region = aws.region if aws is not None and runs.runs_profile is None else None
    return msgspec.structs.replace(settings, profile=profile, region=region, kms_key=runs.runs_kms_key)


@cache
def _in_s3(settings: BucketSettings) -> S3Place:
    """One for each bucket and command."""
    from bulk_esm.store.s3.place import S3Place

    place = S3Place(settings)
    _open.append(place)
    return place


def as_shown(text: str) -> str:
    """A text that names files of runs in S3 as they are on this disk for a while, with their names there.

    Args:
        text: such as that one of them is damaged.
    """
    for place in _open:
        text = place.as_shown(text)
    return text


def close_places() -> None:
    """Close what was opened."""
    while _open:
        _open.pop().close()
    _in_s3.cache_clear()
