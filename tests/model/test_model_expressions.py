"""Expressions that no mapping can fulfil are refused with what is likely meant; all others are let through."""

import pytest
from model_samples import make_mapping

from bulk_esm.cli.selection_text import unmatched_lines
from bulk_esm.errors import UsageError
from bulk_esm.model.expressions import impossible
from bulk_esm.model.selection import Selection


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("EventSourceMappings[?State=='Enabled']", "write what stands in [?...] alone"),
        ("[?State=='Enabled']", "write what stands in [?...] alone"),
        ("[*].State", "no list"),
        ("[0].State", "no list"),
        ("[]", "no list"),
        ("State == 'Enabled' || [?x]", "no list"),
        ("State[?@ == 'x']", "State is a string, and no list"),
        ("State.Name", "State is a string, and has no Name"),
        ('State == "Enabled"', "a string is in single quotes: 'Enabled'"),
        ('State != "Enabled"', "a string is in single quotes: 'Enabled'"),  # which would be all
        ("Disabled == State", "a string is in single quotes: 'Disabled'"),
        ('ProvisionedPollerConfig.PollerGroupName == "night"', "in single quotes: 'night'"),
        ("State == 'enabled'", "did you mean 'Enabled'?"),
        ("BatchSize == `true`", "never the same"),
        ("BisectBatchOnFunctionError == 'true'", "write `true` or `false`"),
        ("FilterCriteria.Filters[?Patern == 'x']", "did you mean Pattern?"),
        ("batchsize > `3`", "did you mean BatchSize?"),
        ("!BatchSise", "did you mean BatchSize?"),  # which would be all
        ("State == 'Enabled' && Batchsize > `3`", "did you mean BatchSize?"),
        ("contains(EventSourceARN, 'orders')", "did you mean EventSourceArn?"),
        ("ProvisionedPollerConfig.MaximumPoller >= `20`", "did you mean MaximumPollers?"),
        ("Enabled", "a mapping has no Enabled, but State"),
        ("Enabled == `true`", "a mapping has no Enabled, but State"),
        ("FunctionName == 'orders'", "a mapping has no FunctionName, but FunctionArn"),
    ],
)
def test_what_can_never_be_true(expression: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        Selection(where=("BatchSize > `1`", expression))
    assert str(refused.value).startswith(f"--where {expression!r} is true of no mapping: ")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("State == `100`", "State is a string, and `100` is none; write '100'"),
        ("BatchSize == '100'", "BatchSize is a number, and '100' a string; write `100`"),
        ("BatchSize > '100'", "write `100`"),
        ('BatchSize == `"100"`', "write `100`"),
        ("State > `5`", "State is a string"),
        ("FilterCriteria.Filters[?Pattern == `5`]", "Pattern is a string"),
    ],
)
def test_a_number_and_a_string_select_nothing_and_it_is_said_why(expression: str, says: str) -> None:
    assert says in str(impossible(expression))
    assert not Selection(where=(expression,)).matches(make_mapping(FilterCriteria={"Filters": [{"Pattern": "{}"}]}))
    [told] = unmatched_lines([("--where", expression)], selected=0, seen=3)
    assert says in told


@pytest.mark.parametrize(
    "expression",
    [
        "BatchSize > `100`",
        "BatchSize == MaximumBatchingWindowInSeconds",
        "BatchSize == `null`",
        "!BatchSize",
        "@",
        "*.State",
        "[State, UUID]",
        "{a: State}",
        "State == `Enabled`",  # an old form of a string
        "'Enabled' == State",
        "State == 'Hibernating'",  # the API types it as a free string
        "LastModified < `1700000000`",
        "length(Topics) > `1`",
        "Topics[0] == 'a'",
        "Topics[?@ == 'a']",
        "Topics[::2]",
        "sort(Topics)[0] == 'a'",
        "FilterCriteria.Filters[].Pattern",
        "FilterCriteria.Filters[?contains(Pattern, 'x')]",
        "SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS[0]",
        "SelfManagedKafkaEventSourceConfig.ConsumptionMode == 'x'",  # newer than the model, as may be
        "NewThing == 'a'",
        "NewThing.Newer[?Member == `1`]",
        "State | contains(@, 'abl')",
        "EventSourceArn && contains(EventSourceArn, 'orders')",
        "MaximumRecordAgeInSeconds != `-1`",
        "ProvisionedPollerConfig.MaximumPollers >= `20`",
    ],
)
def test_what_may_be_true(expression: str) -> None:
    assert impossible(expression) is None
    Selection(where=(expression,))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"functions": ("a-*,b-*",)}, "repeat the flag: --function 'a-*' --function 'b-*'"),
        ({"exclude": ("{a,b}-*",)}, "--exclude '{a,b}-*' matches nothing, as there is no '{' in a name"),
        ({"functions": ("orders *",)}, "there is no ' '"),
        ({"sources": ("arn:aws:sqs:*, arn:aws:kinesis:*",)}, "--source 'arn:aws:sqs:*' --source 'arn:aws:kinesis:*'"),
        ({"functions": ("",)}, "--function '' matches nothing"),
    ],
)
def test_globs_that_no_name_matches(fields: dict[str, tuple[str, ...]], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        Selection(**fields)  # type: ignore[arg-type]
    assert says in str(refused.value)
    Selection(functions=("[a,b]*", "orders:$LATEST", "arn:*:function:orders:PROD"))
