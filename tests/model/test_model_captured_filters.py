"""What AWS was captured to take (F§0.1, F§0.2): filters and their key; each test names its capture."""

import pytest
from model_samples import (
    KEY,
    applied,
    make_mapping,
    ran,
    refused,
    sent,
)

from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change, Comparison
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import plan_item
from bulk_esm.model.rollback import inverse_of, rollback_item

NOTHING = Comparison(request={}, differences=(), problems=())
FILTERS = {"Filters": [{"Pattern": '{"a":[1]}'}]}
OTHER_FILTERS = {"Filters": [{"Pattern": '{"a":[2]}'}]}


# filter_kms_native


ENCRYPTED = {"FilterCriteria": FILTERS, "KMSKeyArn": KEY}


@pytest.mark.parametrize("change", [Change({}, ("FilterCriteria",)), Change({"FilterCriteria": OTHER_FILTERS})])
def test_filter_kms_native_filters_are_put_back_with_their_key(change: Change) -> None:
    mapping = make_mapping(**ENCRYPTED)
    item = plan_item(change, mapping)
    assert item.request.keys() == {"FilterCriteria"}
    assert inverse_of(item).request == ENCRYPTED
    there = applied(mapping, item.request)
    back = rollback_item(item, there)
    assert (back.item.request, back.conflict) == (ENCRYPTED, None)
    assert applied(there, back.item.request) == mapping


def test_filter_kms_native_a_key_that_went_with_the_filters_is_our_own_doing() -> None:
    mapping = make_mapping(**ENCRYPTED)
    item = ran(mapping, "FilterCriteria")
    assert rollback_item(item, make_mapping()).conflict is None
    replaced = ran(mapping, FilterCriteria=OTHER_FILTERS)
    without_key = make_mapping(FilterCriteria=OTHER_FILTERS)
    assert rollback_item(replaced, without_key).conflict == f'KMSKeyArn: "{KEY}" -> unset'


def test_filter_kms_native_a_key_without_filters_would_be_ignored() -> None:
    says = "KMSKeyArn means nothing without filters"
    assert refused(make_mapping(), KMSKeyArn=KEY).startswith(says)
    assert refused(make_mapping(), KMSKeyArn=KEY, FilterCriteria={}).startswith(says)
    assert refused(make_mapping(**ENCRYPTED), "FilterCriteria", KMSKeyArn=KEY).startswith(says)
    assert refused(make_mapping(FilterCriteria=FILTERS), "FilterCriteria", KMSKeyArn=KEY).startswith(says)
    assert sent(make_mapping(FilterCriteria=FILTERS), KMSKeyArn=KEY) == {"KMSKeyArn": KEY}
    assert sent(make_mapping(), **ENCRYPTED) == ENCRYPTED
    assert Change.parse(unset=["KMSKeyArn"]).compare(make_mapping()) == NOTHING


def unreadable(code: str) -> EventSourceMapping:
    return make_mapping(KMSKeyArn=KEY, FilterCriteriaError={"ErrorCode": code, "Message": "it is so"})


def test_filter_kms_native_a_disabled_key_lets_filters_be_cleared_and_replaced() -> None:
    assert sent(unreadable("DisabledException"), "FilterCriteria") == {"FilterCriteria": {}}
    assert sent(unreadable("DisabledException"), FilterCriteria=FILTERS) == {"FilterCriteria": FILTERS}
    item = ran(unreadable("DisabledException"), "FilterCriteria")
    assert "FilterCriteria" in inverse_of(item).problems


@pytest.mark.parametrize("code", ["AccessDeniedException", "SomethingNew"])
def test_filters_that_cannot_be_read_say_why(code: str) -> None:
    assert refused(unreadable(code), "FilterCriteria") == (
        f"FilterCriteria: the filters cannot be read ({code}: it is so), so they would be lost"
    )


# test_sqs_invalid_event_filter, test_dynamodb_invalid_event_filter


@pytest.mark.parametrize(
    "pattern",
    [
        "null",
        '"simple string"',
        "simple string",
        "[]",
        '[{"a":[1]}]',
        "1",
        '{"a":"b"}',
        '{"a":[]}',
        '{"a":null}',
        '{"a":{"b":"c"}}',
        '{"a":{"b":[]},"c":[1]}',
        '{"a":[["b"]]}',
        '{"a":["b",{}]}',
    ],
)
def test_invalid_event_filter(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"FilterCriteria.Filters\[1\].Pattern .* not a filter pattern"):
        Change.parse(document={"FilterCriteria": {"Filters": [*FILTERS["Filters"], {"Pattern": pattern}]}})


@pytest.mark.parametrize(
    "pattern",
    [
        '{"a":["b"]}',
        '{ "a" : [1, null, true, {"prefix":"x"}, {"anything-but":["y"]}] }',
        '{"a":{"b":[{"numeric":[">",0]}]},"c":[{"exists":false}]}',
        '{"$or":[{"a":["b"]},{"c":["d"]}]}',
        "{}",
    ],
)
def test_valid_event_filter(pattern: str) -> None:
    filters = {"Filters": [{"Pattern": pattern}]}
    assert sent(make_mapping(), FilterCriteria=filters) == {"FilterCriteria": filters}
