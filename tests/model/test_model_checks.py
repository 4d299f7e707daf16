"""What checks come to."""

import pytest

from bulk_esm.model.checks import Check, Verdict, clock_check, exit_code_of, lacking, rate_check
from bulk_esm.model.permissions import NEEDS, policy, without
from bulk_esm.model.usage import choose_rate

OK, WARNING, UNKNOWN, FAILED = Verdict.OK, Verdict.WARNING, Verdict.UNKNOWN, Verdict.FAILED


def check(verdict: Verdict, shard: str | None = None, *, lacks: str | None = None, resource: str = "*") -> Check:
    return Check(what="x", verdict=verdict, detail="", shard=shard, lacks=lacks, resource=resource)


@pytest.mark.parametrize(
    ("checks", "most_failed", "code"),
    [
        ([check(OK)], None, 0),
        ([check(OK), check(WARNING)], None, 1),
        ([check(OK), check(UNKNOWN)], None, 1),
        ([check(OK), check(FAILED)], None, 5),
        ([check(OK), check(OK, "a"), check(FAILED, "b")], None, 1),
        ([check(OK), check(FAILED, "a"), check(FAILED, "b")], None, 5),
        ([check(OK), check(OK, "a"), check(FAILED, "a"), check(FAILED, "b")], None, 5),
        ([check(FAILED), check(OK, "a")], None, 5),
        ([check(OK, "a"), check(OK, "b"), check(FAILED, "c")], 1, 1),
        ([check(OK, "a"), check(OK, "b"), check(FAILED, "c")], 0, 5),
    ],
)
def test_exit_codes(checks: list[Check], most_failed: int | None, code: int) -> None:
    assert exit_code_of(checks, most_failed_shards=most_failed) == code


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "words"),
    [
        (0.4, OK, "agrees"),
        (-5.5, OK, "agrees"),
        (30, WARNING, "30 s ahead of the service's: --deadline, --window"),
        (-299, WARNING, "5 min behind"),
        (301, FAILED, "RequestTimeTooSkewed"),
        (-3600, FAILED, "60 min behind"),
        (86_400, FAILED, "24.0 h ahead of"),
    ],
)
def test_clocks(ahead_s: float, verdict: Verdict, words: str) -> None:
    found = clock_check(ahead_s, 0.6)
    assert found.verdict is verdict
    assert words in found.detail
    assert (found.advice is None) is (verdict is OK)


def test_a_slow_answer_is_no_sign_of_a_wrong_clock() -> None:
    assert clock_check(12.0, 8.0).verdict is OK


@pytest.mark.parametrize(
    ("others", "rate", "verdict"),
    [(0, 12.0, OK), (0, 20.0, WARNING), (3, 12.0, OK), (3.1, 12.0, WARNING), (3.1, None, OK), (14.5, None, WARNING)],
)
def test_rates(others: float, rate: float | None, verdict: Verdict) -> None:
    choice = choose_rate({"ListFunctions": [others * 60] * 60})
    found = rate_check(choice, rate)
    assert found.verdict is verdict
    assert (found.advice is None) is (verdict is OK)
    if found.advice is not None:
        assert f"use --rate {choice.per_second:g}, or --rate auto" in found.advice


def test_a_policy_allows_what_is_lacking() -> None:
    checks = [
        check(OK),
        check(WARNING, "a", lacks="lambda:GetEventSourceMapping"),
        check(WARNING, "b", lacks="lambda:GetEventSourceMapping"),
        check(UNKNOWN, "a", lacks="lambda:UpdateEventSourceMapping"),
        check(FAILED, "c", lacks="sts:AssumeRole", resource="arn:aws:iam::333333333333:role/x"),
        check(FAILED, "d", lacks="sts:AssumeRole", resource="arn:aws:iam::444444444444:role/x"),
    ]
    found = policy(lacking(checks))
    assert found["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole"],
            "Resource": ["arn:aws:iam::333333333333:role/x", "arn:aws:iam::444444444444:role/x"],
        },
    ]
    assert lacking([check(OK)]) == []


def test_each_action_says_what_happens_without_it() -> None:
    for need in NEEDS:
        for action in need.actions:
            assert without(action) == need.without
