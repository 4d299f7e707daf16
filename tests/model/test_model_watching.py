"""What `--watch` says, and what it may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm import RolloutSettings, UsageError
from bulk_esm.model.measures import MEASURES
from bulk_esm.model.watching import Watch, check_expression, least_wait_s, longest_period


def query(name: str, **more: object) -> dict[str, object]:
    return {"Id": name, "Expression": "m1 / m2", **more}


@pytest.mark.parametrize(
    ("text", "op", "value"),
    [
        ("errors<5%", "<", 0.05),
        ("errors <= 0.5%", "<=", 0.005),
        ("throttles<0.01", "<", 0.01),
        ("duration-p95<500ms", "<", 0.5),
        ("iterator-age<60s", "<", 60),
        ("queue-age<2m", "<", 120),
        ("concurrency<80%", "<", 0.8),
    ],
)
def test_a_value(text: str, op: str, value: float) -> None:
    watch = Watch.parse(text)
    assert watch.value == pytest.approx(value)
    assert (watch.op, watch.compares) == (op, False)
    assert (watch.holds(0), watch.holds(value + 1)) == (True, False)


def test_a_comparison() -> None:
    watch = Watch.parse("errors")
    assert watch.measure is MEASURES["errors"]
    assert watch.compares
    assert least_wait_s([watch]) == (10 + 1) * 60 + 180
    assert least_wait_s([Watch.parse("errors<5%")]) == (5 + 1) * 60 + 180
    assert least_wait_s([]) == 0


def test_a_file() -> None:
    watch = Watch.parse("./gate.json>5")
    assert (watch.file, watch.op, watch.value, watch.measure) == ("./gate.json", ">", 5.0, None)
    assert (watch.holds(6), watch.holds(5)) == (True, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("error<5%", "there is no 'error'"),
        ("latency", "there are errors, throttles"),
        ("errors<5", "'5' is no share; write it like 5% or 0.05"),
        ("errors<", "'' is no share"),
        ("errors>5%", "write 'errors<5%'"),
        ("iterator-age<60", "is no time; write it like 60s, 500ms or 2m"),
        ("concurrency", "it is of the whole account"),
        ("gate.json", "cannot be compared"),
        ("gate.json<5%", "is no number"),
        ("<5%", "write it like errors"),
        ("", "write it like errors"),
        ("errors<5%<6%", "is no share"),
    ],
)
def test_what_makes_no_sense(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        RolloutSettings(watch=(text,))
    assert said in str(raised.value)
    assert "--watch" in str(raised.value)


@given(st.text(max_size=30))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        watch = Watch.parse(text)
    except UsageError:
        return
    assert watch.measure is not None or watch.file is not None
    assert Watch.parse(watch.text) == watch


def test_an_expression() -> None:
    queries = [query("e1"), {"Id": "m1", "MetricStat": {}, "ReturnData": False}]
    assert check_expression({"MetricDataQueries": queries}) == check_expression(queries) == queries


def test_the_longest_period_of_an_expression() -> None:
    stat = {"Id": "m1", "MetricStat": {"Period": 90}}
    assert longest_period([query("e1")]) == 1
    assert longest_period([query("e1", Period=60), stat]) == 2
    assert longest_period([query("e1", Period="x"), query("e2", Period=3600)]) == 60


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        ({}, "no MetricDataQueries"),
        ([], "no MetricDataQueries"),
        (["e1"], "no MetricDataQueries"),
        ([query(f"e{number}") for number in range(501)], "takes 500"),
        ([query("E1")], "the Id 'E1' is none"),
        ([query("e1"), query("e1")], "is there twice"),
        ([{"Id": "e1"}], "must have an Expression or a MetricStat"),
        ([query("e1", MetricStat={})], "must have an Expression or a MetricStat"),
        ([query("e1", ReturnData="no")], "neither true nor false"),
        ([query("e1"), query("e2")], "e1, e2 do"),
        ([query("e1", ReturnData=False)], "none do"),
    ],
)
def test_no_expression(queries: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_expression(queries)
