"""The rate that leaves room for others."""

import pytest

from bulk_esm.model.usage import choose_rate, is_of_the_quota

HOUR = 60


@pytest.mark.parametrize(
    ("operation", "is_counted"),
    [
        ("ListFunctions", True),
        ("GetFunctionConfiguration", True),
        ("UpdateEventSourceMapping20150331", True),
        ("GetPolicyStatements", True),
        ("GetFunction", False),
        ("GetFunction20150331v2", False),
        ("GetPolicy", False),
        ("GetPolicy20150331", False),
        ("Invoke", False),
        ("InvokeAsync", False),
    ],
)
def test_what_counts_against_the_quota(operation: str, *, is_counted: bool) -> None:
    assert is_of_the_quota(operation) is is_counted


def test_nobody_else_leaves_what_is_the_default() -> None:
    for calls in ({}, {"ListFunctions": [0.0] * HOUR}):
        choice = choose_rate(calls)
        assert (choice.per_second, choice.others_per_second, choice.is_used_up) == (12, 0, False)
    assert choose_rate({}, 40).per_second == 32


def test_what_others_use_all_the_time_is_left_to_them() -> None:
    choice = choose_rate({"ListFunctions": [300.0] * HOUR, "TagResource": [60.0] * HOUR, "Invoke": [9e9] * HOUR})
    assert choice.others_per_second == 6
    assert choice.per_second == 7.2
    assert "of 15 requests/s, 6.0 were used in the last hour (ListFunctions, TagResource)" in choice.reason
    assert "--rate 7.2 leaves room" in choice.reason


@pytest.mark.parametrize(("busy_minutes", "per_second"), [(15, 12.0), (16, 2.4), (60, 2.4)])
def test_a_run_of_a_quarter_of_an_hour_is_not_taken_for_what_goes_on(busy_minutes: int, per_second: float) -> None:
    choice = choose_rate({"ListFunctions": [720.0] * busy_minutes + [0.0] * (HOUR - busy_minutes)})
    assert choice.per_second == per_second
    assert "12.0 in its busiest minute" in choice.reason


@pytest.mark.parametrize("calls", [14.5 * 60, 15 * 60, 40 * 60])
def test_where_nothing_is_left_it_goes_slowly_and_says_so(calls: float) -> None:
    choice = choose_rate({"ListFunctions": [float(calls)] * HOUR})
    assert (choice.per_second, choice.is_used_up) == (0.5, True)


def test_a_quota_that_nobody_told_is_said_to_be_taken_for_granted() -> None:
    assert "as documented; Service Quotas did not tell" in choose_rate({}, is_known=False).reason
