from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_samples import DOCUMENTDB, DYNAMODB, FIFO, FUNCTION, KAFKA, KNOWN, MQ, MSK, SOURCES, SQS, UUID, make_mapping

from bulk_esm.errors import UsageError
from bulk_esm.model.mapping import EventSourceMapping, SourceType
from bulk_esm.model.selection import Selection, matches_function
from bulk_esm.model.where import is_true_of

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"
CN = "arn:aws-cn:lambda:cn-north-1:123456789012:function:"


@pytest.mark.parametrize(
    ("glob", "selected", "not_selected"),
    [
        # a name: whatever the qualifier
        ("orders", ["orders", "orders:PROD", "orders:$LATEST"], ["orders2", "my-orders", "Orders", "PROD:orders"]),
        ("orders*", ["orders", "orders-eu", "orders-eu:1"], ["my-orders", "x:orders"]),
        ("*", ["orders", "payments:PROD"], []),
        ("order?", ["orders"], ["order", "orderss"]),
        ("[op]*", ["orders", "payments:1"], ["stock"]),
        ("*PROD", ["my-PROD", "my-PROD:1"], ["orders:PROD"]),
        # a name and a qualifier
        ("orders:PROD", ["orders:PROD"], ["orders", "orders:DEV", "my-orders:PROD"]),
        ("my-function:PROD", ["my-function:PROD"], ["my-function", "my-function:DEV", "function:PROD"]),
        ("orders-*:PROD", ["orders-eu:PROD"], ["orders-eu", "orders-eu:DEV"]),
        ("orders:*", ["orders:PROD", "orders:$LATEST"], ["orders", "payments:PROD"]),
        # an ARN: a qualifier counts only if the glob has one
        (f"{ARN}orders", ["orders", "orders:PROD"], ["orders2", "my-orders"]),
        (f"{ARN}orders:PROD", ["orders:PROD"], ["orders", "orders:DEV"]),
        (f"{ARN}my-function:PROD", ["my-function:PROD"], ["my-function"]),
        (f"{ARN}function", ["function", "function:function"], ["my-function"]),
        (f"{ARN}*PROD", ["my-PROD", "my-PROD:1"], ["orders:PROD"]),
        ("arn:*:function:orders", ["orders", "orders:PROD"], ["payments"]),
        ("arn:*:eu-west-?:*:function:*:PROD", ["orders:PROD"], ["orders", "orders:DEV"]),
        ("arn:*:us-east-1:*", [], ["orders", "orders:PROD"]),
        ("arn:*", ["orders", "orders:PROD"], []),
        ("rn:*", [], ["orders"]),
        # the tail of one
        ("123456789012:function:orders", ["orders", "orders:PROD"], ["payments"]),
        ("210987654321:function:orders", [], ["orders"]),
        ("function:orders", ["orders", "orders:PROD"], ["my-orders"]),
        ("function:orders:PROD", ["orders:PROD"], ["orders"]),
        ("function:function:PROD", ["function:PROD"], ["function", "function:function"]),
        ("*:function:orders", ["orders", "orders:PROD"], ["my-orders"]),
        # nobody can tell a qualifier from a name
        ("*:PROD", ["orders:PROD", "PROD", "PROD:1"], ["orders", "my-PROD"]),
    ],
)
def test_function_globs(glob: str, selected: list[str], not_selected: list[str]) -> None:
    tails = selected + not_selected
    assert [tail for tail in tails if matches_function(glob, f"{FUNCTION}{tail}")] == selected


@settings(deadline=None)
@given(st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True), st.sampled_from(["1", "PROD", "$LATEST"]))
def test_a_function_is_selected_by_each_of_its_names(name: str, qualifier: str) -> None:
    plain, qualified = f"{ARN}{name}", f"{ARN}{name}:{qualifier}"
    for head in ("", "function:", "123456789012:function:", ARN):
        assert matches_function(f"{head}{name}", plain)
        assert matches_function(f"{head}{name}", qualified)
        assert matches_function(f"{head}{name}:{qualifier}", qualified)
        assert not matches_function(f"{head}{name}:{qualifier}", plain)


def test_globs_know_partitions() -> None:
    assert matches_function("arn:aws-cn:*", f"{CN}orders")
    assert not matches_function("arn:aws-cn:*", f"{ARN}orders")


FLEET = [
    make_mapping(SQS, UUID="sqs", FunctionArn=f"{FUNCTION}orders"),
    make_mapping(FIFO, UUID="fifo", FunctionArn=f"{FUNCTION}orders:PROD", State="Disabled"),
    make_mapping(KAFKA, UUID="kafka", FunctionArn=f"{FUNCTION}payments", State="Updating", BatchSize=0),
    make_mapping(MSK, UUID="msk", FunctionArn=f"{FUNCTION}stock", State="Hibernating", Topics=["a", "b"]),
    make_mapping(DYNAMODB, UUID="dynamodb", FunctionArn=f"{FUNCTION}stock:1", BatchSize=500),
]


def selected(**fields: Any) -> set[str]:
    return {mapping.uuid for mapping in FLEET if Selection(**fields).matches(mapping)}


EVERYTHING = {"sqs", "fifo", "kafka", "msk", "dynamodb"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"all": True}, EVERYTHING),
        # again widens
        ({"functions": ("orders",)}, {"sqs", "fifo"}),
        ({"functions": ("orders", "pay*")}, {"sqs", "fifo", "kafka"}),
        ({"source_types": (SourceType.SQS_FIFO, SourceType.KAFKA)}, {"fifo", "kafka"}),
        ({"source_types": (SourceType.SQS,)}, {"sqs"}),  # FIFO is a type of its own
        ({"states": ("Disabled", "Updating")}, {"fifo", "kafka"}),
        ({"uuids": frozenset({"sqs", "msk", "none"})}, {"sqs", "msk"}),
        ({"sources": ("*:sqs:*", "*:dynamodb:*")}, {"sqs", "fifo", "dynamodb"}),
        ({"sources": ("arn:aws:sqs:eu-west-1:123456789012:orders",)}, {"sqs"}),
        # different narrow
        ({"functions": ("orders",), "states": ("Disabled",)}, {"fifo"}),
        ({"functions": ("stock",), "source_types": (SourceType.SQS,)}, set()),
        ({"uuids": frozenset({"sqs", "msk"}), "functions": ("stock",)}, {"msk"}),
        ({"all": True, "states": ("Disabled",)}, {"fifo"}),
        # exclusion wins
        ({"all": True, "exclude": ("orders",)}, {"kafka", "msk", "dynamodb"}),
        ({"all": True, "exclude": ("orders:PROD", "stock")}, {"sqs", "kafka"}),
        ({"functions": ("orders",), "exclude": ("orders",)}, set()),
        # JMESPath: 0 is true; null, false, "", [] and {} are not
        ({"where": ("BatchSize",)}, {"kafka", "dynamodb"}),
        ({"where": ("BatchSize > `100`",)}, {"dynamodb"}),
        ({"where": ("Topics",)}, {"msk"}),
        ({"where": ("Topics[?@ == 'z']",)}, set()),
        ({"where": ("''",)}, set()),
        ({"where": ("`{}`",)}, set()),
        ({"where": ("`0`",)}, EVERYTHING),
        ({"where": ("'false'",)}, EVERYTHING),
        ({"where": ("State == 'Disabled'", "Topics")}, {"fifo", "msk"}),
        ({"where": ("State == 'Disabled'",), "functions": ("stock",)}, set()),
        ({"where": ("SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS[0]",)}, {"kafka"}),
    ],
)
def test_again_widens_and_different_narrow(fields: dict[str, Any], expected: set[str]) -> None:
    assert selected(**fields) == expected


@settings(deadline=None)
@given(
    functions=st.lists(st.sampled_from(["orders", "stock", "pay*", "zzz"]), max_size=2),
    states=st.lists(st.sampled_from(["Enabled", "Disabled", "Updating"]), max_size=2),
    more=st.sampled_from(["orders", "stock", "pay*", "zzz"]),
)
def test_a_flag_given_again_never_narrows_and_another_never_widens(
    functions: list[str], states: list[str], more: str
) -> None:
    by_function = selected(functions=tuple(functions))
    if functions:
        assert by_function <= selected(functions=(*functions, more))
    assert selected(functions=tuple(functions), states=tuple(states)) == by_function & selected(states=tuple(states))
    assert selected(functions=tuple(functions), exclude=(more,)) == by_function - selected(functions=(more,))


TAGS = {
    make_mapping().arn or "": {"team": "blue", "empty": ""},
    f"{ARN}orders": {"owner": "payments", "url": "a=b"},
}


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({"tags": ("team",)}, True),
        ({"tags": ("team=blue",)}, True),
        ({"tags": ("team=red",)}, False),
        ({"tags": ("team=",)}, False),
        ({"tags": ("empty=",)}, True),
        ({"tags": ("Team",)}, False),
        ({"tags": ("team=red", "empty")}, True),
        ({"tags": ("owner",)}, False),  # mappings do not inherit their function's tags
        ({"function_tags": ("owner",)}, True),
        ({"function_tags": ("owner=payments",)}, True),
        ({"function_tags": ("url=a=b",)}, True),
        ({"function_tags": ("team",)}, False),
        ({"tags": ("team",), "function_tags": ("owner=stock",)}, False),
    ],
)
def test_tags(fields: dict[str, Any], matches: bool) -> None:  # noqa: FBT001 - an expected value
    selection = Selection(**fields)
    assert selection.matches(make_mapping(), TAGS) is matches
    # Functions have tags, their versions and aliases have not.
    assert selection.matches(make_mapping(FunctionArn=f"{FUNCTION}orders:PROD"), TAGS) is matches
    assert not selection.matches(make_mapping())


@pytest.mark.parametrize(
    ("fields", "empty"),
    [
        ({}, True),
        ({"exclude": ("orders",)}, True),
        ({"all": True}, False),
        ({"functions": ("*",)}, False),
        ({"sources": ("*",)}, False),
        ({"source_types": (SourceType.MQ,)}, False),
        ({"states": ("Enabled",)}, False),
        ({"tags": ("team",)}, False),
        ({"function_tags": ("team",)}, False),
        ({"where": ("Topics",)}, False),
        ({"uuids": frozenset({UUID})}, False),
    ],
)
def test_is_empty(fields: dict[str, Any], empty: bool) -> None:  # noqa: FBT001 - an expected value
    assert Selection(**fields).is_empty is empty


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"where": ("BatchSize >",)}, "--where 'BatchSize >' is not a JMESPath expression"),
        ({"where": ("Topics", "")}, "--where '' is not a JMESPath expression"),
        ({"states": ("Enabled", "disabled")}, "--state disabled: no such state; did you mean Disabled?"),
        ({"states": ("Paused",)}, "there are Creating, Enabling, Enabled, Disabling, Disabled, Updating, Deleting"),
        ({"tags": ("=blue",)}, "a tag is KEY or KEY=VALUE, not '=blue'"),
        ({"function_tags": ("",)}, "a tag is KEY or KEY=VALUE, not ''"),
    ],
)
def test_what_cannot_be_meant(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Selection(**fields)
    assert says in str(caught.value)


def test_what_can_be_meant() -> None:
    Selection(where=("BatchSize > `10`",), states=("Enabled",), tags=("a", "b=", "c=d=e"), function_tags=("f",))


@pytest.mark.parametrize("expression", ["length(BatchSize)", "Topics[::0]"])
def test_an_expression_that_fails_names_the_mapping(expression: str) -> None:
    selection = Selection(where=(expression,))
    with pytest.raises(UsageError) as caught:
        selection.matches(make_mapping(MSK, BatchSize=1, Topics=["a"]))
    assert f"fails on mapping {UUID}" in str(caught.value)


@pytest.mark.parametrize("expression", ["no_such_function(@)", "length(Topics, Queues)"])
def test_a_function_that_jmespath_does_not_have_is_refused_before_any_mapping(expression: str) -> None:
    with pytest.raises(UsageError, match="is not a JMESPath expression"):
        Selection(where=(expression,))


def test_a_mapping_without_a_function_is_no_functions() -> None:
    mapping = make_mapping(FunctionArn=None)
    assert Selection(all=True).matches(mapping)
    assert not Selection(functions=("orders", "arn:*")).matches(mapping)


def test_a_mapping_without_an_arn_has_no_source_to_match() -> None:
    assert not Selection(sources=("arn:*",)).matches(make_mapping(KAFKA))


def test_source_types_of_the_contract() -> None:
    assert [str(source) for source in KNOWN] == [
        *("sqs", "sqs-fifo", "kinesis", "dynamodb", "msk", "kafka", "mq", "documentdb")
    ]
    for source in (*KNOWN, SourceType.UNKNOWN):
        matching = [other for other in SOURCES if Selection(source_types=(source,)).matches(make_mapping(other))]
        assert matching == [source]
    assert {MQ, DOCUMENTDB} < set(SOURCES)


@pytest.mark.parametrize(
    ("expression", "is_selected"),
    [
        ("BatchSize > 'a'", False),
        ("State < `5`", False),
        ("BatchSize > `1`", True),
        ("State > 'A'", True),
        ("(BatchSize > 'a') == `null`", True),
        ("BatchSize == '10'", False),
    ],
)
def test_a_number_and_a_string_have_no_order(expression: str, *, is_selected: bool) -> None:
    """Where it is known what a member is, an expression like that is refused as a selection; this is what it means."""
    assert is_true_of(expression, {"UUID": UUID, "State": "Enabled", "BatchSize": 10}) is is_selected


@pytest.mark.parametrize(
    ("expression", "way_out"),
    [
        (
            "contains(EventSourceArn, 'x')",
            "left out by \"EventSourceArn && contains(EventSourceArn, 'x')\", or use --source",
        ),
        ("length(Queues) > `1`", "left out by 'Queues && length(Queues) > `1`'"),
        ("contains(State, `5`)", "fails on mapping"),
    ],
)
def test_an_expression_that_a_mapping_cannot_take_names_the_way_out(expression: str, way_out: str) -> None:
    selection = Selection(where=(expression,))
    selection.check()
    with pytest.raises(UsageError) as caught:
        selection.matches(EventSourceMapping({"UUID": UUID, "State": "Enabled"}))
    assert way_out in str(caught.value)
    if "&&" in way_out:
        guarded = Selection(
            where=(f"{expression.partition('(')[2].partition(',')[0].partition(')')[0]} && {expression}",)
        )
        assert not guarded.matches(EventSourceMapping({"UUID": UUID, "State": "Enabled"}))
