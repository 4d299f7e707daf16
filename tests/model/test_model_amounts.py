"""Counts and percentages, as users write them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.errors import UsageError
from bulk_esm.model.amounts import Amount

totals = st.integers(0, 10**7)
shares = st.decimals(0, 100, allow_nan=False, allow_infinity=False).map(lambda number: f"{number:f}%")


@pytest.mark.parametrize(
    ("text", "total", "expected"),
    [
        ("0", 1000, 0),
        ("10", 1000, 10),
        ("10", 3, 10),  # a count is a count
        ("007", 0, 7),
        (" 10 ", 1000, 10),
        ("0%", 1000, 0),
        ("0.0%", 1000, 0),
        ("2%", 1000, 20),
        ("5%", 1000, 50),
        ("7%", 100, 7),  # 7.000000000000001 in floats
        ("0.5%", 1000, 5),
        ("0.5%", 1001, 6),
        ("1%", 3, 1),
        ("1%", 0, 0),
        ("100%", 123, 123),
        ("50.0000000000000000000000000000001%", 100, 51),
    ],
)
def test_amounts(text: str, total: int, expected: int) -> None:
    assert Amount.parse(text, "--max-failures").of(total) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "%", "-1", "+1", "1.5", ".5%", "5.%", "1e2", "2 %", "%2", "1_000", "٣", "all"]
)
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(UsageError, match="a count such as 10, or a percentage such as 2%") as raised:
        Amount.parse(text, "--max-failures")
    assert str(raised.value).startswith(f"--max-failures: {text!r} is no amount")


@pytest.mark.parametrize("text", ["101%", "100.1%"])
def test_there_is_no_more_than_all(text: str) -> None:
    with pytest.raises(UsageError, match=f"--waves: {text} is more than all"):
        Amount.parse(text, "--waves")


@given(shares, totals)
def test_a_share_is_rounded_up_and_never_more_than_all(text: str, total: int) -> None:
    amount = Amount.parse(text, "--waves")
    exact = Fraction(text.removesuffix("%")) * total / 100
    assert amount.is_share
    assert exact <= amount.of(total) < exact + 1
    assert amount.of(total) <= total


@given(st.integers(0, 10**20), totals)
def test_a_count_does_not_depend_on_what_there_is(count: int, total: int) -> None:
    amount = Amount.parse(str(count), "--waves")
    assert not amount.is_share
    assert amount.of(total) == amount.number == count


@given(shares | st.integers(0).map(str))
def test_an_amount_is_shown_as_it_was_written(text: str) -> None:
    assert str(Amount.parse(f" {text} ", "--waves")) == text
    assert Amount.parse(str(Amount.parse(text, "--waves")), "--waves") == Amount.parse(text, "--waves")
