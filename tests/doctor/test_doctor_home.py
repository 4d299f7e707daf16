"""What is said of the way to AWS, and of refusals; proxies and certificates are records: nothing leaves loopback."""

import pytest

from bulk_esm.aws.barriers import UNTRUSTED
from bulk_esm.aws.way import Way
from bulk_esm.doctor.home import way_check
from bulk_esm.doctor.shard import denied
from bulk_esm.errors import DeniedError, ServiceError
from bulk_esm.model.checks import Verdict, lacking

LAMBDA = "https://lambda.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("way", "verdict", "words"),
    [
        (Way(url=LAMBDA), Verdict.OK, f"{LAMBDA}; authorities: botocore's own"),
        (Way(url=LAMBDA, authorities="/etc/ca.pem"), Verdict.OK, "authorities: those of /etc/ca.pem"),
        (Way(url=LAMBDA, proxy="http://proxy:3128"), Verdict.OK, f"{LAMBDA} past the proxy http://proxy:3128;"),
        (Way(url="http://localhost:4566"), Verdict.OK, "is on this machine, and not AWS"),
        (Way(url="http://[::1]:4566"), Verdict.OK, "is on this machine, and not AWS"),
        (Way(url="http://localhost:4566", proxy="http://proxy:3128"), Verdict.WARNING, "is not encrypted"),
        (Way(url="http://lambda.example"), Verdict.WARNING, "whoever is on the way reads along"),
    ],
)
def test_ways(way: Way, verdict: Verdict, words: str) -> None:
    found = way_check(way, None)
    assert found.verdict is verdict
    assert words in found.detail


def test_a_certificate_that_is_not_trusted() -> None:
    found = way_check(Way(url=LAMBDA, proxy="http://proxy"), ServiceError(code=UNTRUSTED, message="self-signed"))
    assert found.verdict is Verdict.FAILED
    assert "AWS_CA_BUNDLE" in (found.advice or "")


def refusal(said: str) -> DeniedError:
    return DeniedError("refused", action="s3:PutObject", said=said)


def test_an_action_that_the_service_names_is_what_is_missing() -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    said = (
        f"User: arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey on resource: {key} because no "
        "identity-based policy allows the kms:GenerateDataKey action"
    )
    found = denied("s3:PutObject", refusal(said), Verdict.FAILED, resource="arn:aws:s3:::b/*")
    assert found.advice == f"allow kms:GenerateDataKey on {key}"
    assert lacking([found]) == [("kms:GenerateDataKey", key)]


def test_what_a_statement_denies_no_other_would_allow() -> None:
    said = "User: x is not authorized to perform: s3:PutObject with an explicit deny in a service control policy"
    found = denied("s3:PutObject", refusal(said), Verdict.FAILED)
    assert "a statement denies s3:PutObject: take it away" in (found.advice or "")
    assert lacking([found]) == []


def test_what_is_no_refusal_of_a_policy_lacks_nothing() -> None:
    found = denied("s3:PutObject", ServiceError(code="NoSuchBucket", message="none", status=404), Verdict.FAILED)
    assert (found.lacks, found.detail) == (None, "NoSuchBucket: none")
