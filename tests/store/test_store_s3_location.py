"""`s3://BUCKET/PREFIX` as it is typed."""

from __future__ import annotations

import pytest

from bulk_esm.errors import UsageError
from bulk_esm.store.s3.location import parse_location


@pytest.mark.parametrize("text", ["bulk-esm-runs", "/var/runs", "./s3://x", "s3", "s3:x", "a b/c", "C:/runs", ""])
def test_a_folder_is_none(text: str) -> None:
    assert parse_location(text) is None


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://abc", "abc", ""),
        ("s3://abc/", "abc", ""),
        ("S3://abc/runs", "abc", "runs/"),
        ("s3://abc/runs/", "abc", "runs/"),
        ("s3://abc/team a/ops.d/ünï", "abc", "team a/ops.d/ünï/"),
        ("s3://my.bucket-1/x", "my.bucket-1", "x/"),
        ("s3://ap-6ca9a0e8b0a1fsk2p4xgs3zmx7rr1use1a-s3alias/x", "ap-6ca9a0e8b0a1fsk2p4xgs3zmx7rr1use1a-s3alias", "x/"),
        (f"s3://{'a' * 63}/{'b' * 512}", "a" * 63, f"{'b' * 512}/"),
    ],
)
def test_a_bucket_and_its_prefix(text: str, bucket: str, prefix: str) -> None:
    settings = parse_location(text)
    assert settings is not None
    assert (settings.bucket, settings.prefix) == (bucket, prefix)
    assert (settings.profile, settings.region, settings.kms_key) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3://", "the bucket is missing"),
        ("s3:///runs", "the bucket is missing"),
        ("s3:/abc/runs", "lacks a slash: s3://abc/runs"),
        ("s3://ab", "no bucket is called 'ab'"),
        ("s3://Upper/x", "no bucket is called 'Upper'"),
        ("s3://under_score", "no bucket is called"),
        ("s3://user:word@abc/x", "no bucket is called"),
        ("s3://abc:9000/x", "no bucket is called"),
        ("s3://10.0.0.1/x", "no bucket is called"),
        ("s3://a..b/x", "no bucket is called"),
        ("s3://-abc/x", "no bucket is called"),
        ("s3://abc-/x", "no bucket is called"),
        (f"s3://{'a' * 64}/x", "no bucket is called"),
        ("s3://abc\n/x", "no bucket is called"),
        ("s3://abc?versionId=1", "no query"),
        ("s3://abc/x?region=eu-west-1", "no query"),
        ("s3://abc/x#y", "no fragment"),
        ("s3://abc//x", "part of the prefix is empty"),
        ("s3://abc/x//y", "part of the prefix is empty"),
        ("s3://abc/x/../y", "a dot"),
        ("s3://abc/./y", "a dot"),
        ("s3://abc/x\x1b[2J", "printable"),
        ("s3://abc/x\\y", "without a backslash"),
        (f"s3://abc/{'b' * 513}", "at most 512 bytes"),
        ("https://abc.s3.amazonaws.com/x", "in a folder or in s3://BUCKET/PREFIX, not in https://"),
        ("gs://abc/x", "not in gs://"),
    ],
)
def test_what_is_neither_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_location(text)
    assert reason in str(caught.value)
