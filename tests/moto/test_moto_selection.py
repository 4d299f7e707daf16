"""Every way to select, against moto."""

from moto_account import UNKNOWN_UUID, Fleet, MotoAccount, function_arn, queue_arn, stream_arn

from bulk_esm import BulkEsm, Selection, SourceType

pytest_plugins = ("moto_fixtures",)


ALL_SIX = "queue queue_off fifo stream stream_off table"
CASES = [
    (Selection(), ALL_SIX),
    (Selection(all=True), ALL_SIX),
    (Selection(functions=("orders-*",)), "queue queue_off fifo stream_off"),
    (Selection(functions=("orders-api", "billing")), "queue stream stream_off table"),
    (Selection(functions=(function_arn("orders-api"),)), "queue stream_off"),
    (Selection(functions=("function:bill*",)), "stream table"),
    (Selection(functions=("nobody-*",)), ""),
    (Selection(all=True, exclude=("orders-*",)), "stream table"),
    (Selection(functions=("orders-*",), exclude=("*-mail",)), "queue stream_off"),
    (Selection(sources=(queue_arn("orders"),)), "queue queue_off"),
    (Selection(sources=(queue_arn("orders"), stream_arn("clicks"))), "queue queue_off stream stream_off"),
    (Selection(sources=(queue_arn("no-such-queue"),)), ""),
    (Selection(sources=("arn:*:sqs:*",)), "queue queue_off fifo"),
    (Selection(sources=("*:table/stock/stream/*",)), "table"),
    (Selection(source_types=(SourceType.SQS,)), "queue queue_off"),
    (Selection(source_types=(SourceType.SQS_FIFO, SourceType.DYNAMODB)), "fifo table"),
    (Selection(source_types=(SourceType.MSK,)), ""),
    (Selection(states=("Disabled",)), "queue_off stream_off"),
    (Selection(states=("Enabled", "Disabled"), source_types=(SourceType.KINESIS,)), "stream stream_off"),
    (Selection(where=("BatchSize > `100`",)), "stream"),
    (Selection(where=("BatchSize == `10`", "StartingPosition == 'LATEST'")), ALL_SIX),
    # moto returns a mapping's tags with it, and an expression sees what is returned, known to the API or not.
    (Selection(where=("Tags.wave == '1'",)), "queue"),
    (Selection(where=("contains(EventSourceArn, ':kinesis:')",), states=("Enabled",)), "stream"),
    # moto's tagging API knows functions.
    (Selection(function_tags=("team=orders",)), "queue queue_off fifo stream_off"),
    (Selection(function_tags=("tier",)), "queue stream_off"),
    (Selection(function_tags=("tier=gold", "team=billing")), "queue stream stream_off table"),
    (Selection(function_tags=("team=nobody",)), ""),
    (Selection(function_tags=("team=orders",), states=("Enabled",)), "queue fifo"),
    # It knows no mappings, so none has a tag there.
    (Selection(tags=("wave",)), ""),
]


async def test_selects_just_these(fleet: Fleet, bulk: BulkEsm) -> None:
    # One test, as looking changes nothing and a fleet for each case would take most of the time.
    name_of = {getattr(fleet, name): name for name in ALL_SIX.split()}
    found = [
        (selection, sorted(name_of[mapping.uuid] for mapping in (await bulk.list(selection)).mappings))
        for selection, _ in CASES
    ]
    assert found == [(selection, sorted(names.split())) for selection, names in CASES]


async def test_uuids(fleet: Fleet, bulk: BulkEsm) -> None:
    selection = Selection(uuids=frozenset({fleet.queue, fleet.table, UNKNOWN_UUID}), states=("Enabled",))
    inventory = await bulk.list(selection)
    assert {mapping.uuid for mapping in inventory.mappings} == {fleet.queue, fleet.table}
    assert inventory.unknown == (UNKNOWN_UUID,)


async def test_an_exact_source_is_filtered_by_moto_itself(fleet: Fleet, bulk: BulkEsm) -> None:
    assert (await bulk.list(Selection(sources=(queue_arn("orders"),)))).seen == 2


async def test_a_function_tag_counts_for_mappings_of_a_version(moto: MotoAccount, fleet: Fleet, bulk: BulkEsm) -> None:
    moto.lambda_.publish_version(FunctionName="billing")
    version = moto.create_mapping("billing:1", queue_arn("orders"))
    tagged = await bulk.list(Selection(function_tags=("team=billing",), source_types=(SourceType.SQS,)))
    assert [mapping.uuid for mapping in tagged.mappings] == [version]
    assert [mapping.uuid for mapping in (await bulk.list(Selection(functions=("billing:1",)))).mappings] == [version]
    by_name = await bulk.list(Selection(functions=("billing",)))
    assert {mapping.uuid for mapping in by_name.mappings} == {version, fleet.stream, fleet.table}
