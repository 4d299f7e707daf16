import math
from collections import Counter
from contextlib import suppress
from typing import Any

import anyio
import pytest
from aiohttp import web
from aws_hand_clock import HastyClock
from aws_reach import a_mapping, answering, connected, requests_seen

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.simulator import Faults, Simulator, make_fleet
from bulk_esm.simulator.reading import completed, on_the_wire

FLEET = make_fleet(250)
UUID = FLEET.mappings[0]["UUID"]


def simulated(hasty: HastyClock, **settings: Any) -> Simulator:
    """A simulator without settle times or, unless asked for, a quota."""
    return Simulator(**({"fleet": FLEET, "quota_per_second": None, "clock": lambda: hasty.time} | settings))


async def failure(call: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await call
    return caught.value


async def all_pages(control_plane: ControlPlane, **filters: str) -> list[list[str]]:
    return [[mapping.uuid for mapping in page] async for page in control_plane.list(**filters)]


async def test_list_goes_through_all_pages() -> None:
    hasty = HastyClock()
    async with simulated(hasty) as simulator, connected(simulator, clock=hasty.clock) as connection:
        pages = await all_pages(connection.control_plane)
        assert [len(page) for page in pages] == [100, 100, 50]
        assert sorted(uuid for page in pages for uuid in page) == sorted(mapping["UUID"] for mapping in FLEET.mappings)
        assert connection.control_plane.request_counts() == {
            "list": 3, "get": 0, "update": 0, "throttled": 0, "errors": 0
        }  # fmt: skip


async def test_list_filters() -> None:
    hasty = HastyClock()
    async with simulated(hasty) as simulator, connected(simulator, clock=hasty.clock) as connection:
        source = FLEET.mappings[3]["EventSourceArn"]
        assert await all_pages(connection.control_plane, event_source_arn=source) == [[FLEET.mappings[3]["UUID"]]]
        function = FLEET.mappings[5]["FunctionArn"]
        expected = {mapping["UUID"] for mapping in FLEET.mappings if mapping["FunctionArn"] == function}
        (page,) = await all_pages(connection.control_plane, function_name=function)
        assert set(page) == expected


async def test_mappings_are_kept_as_they_came() -> None:
    mapping = a_mapping(Unheard={"Of": [1, {"Deep": None}]}, FilterCriteria={"Filters": []}, KMSKeyArn="arn:key")
    hasty = HastyClock()
    async with (
        simulated(hasty, fleet=[mapping], epoch=1e9) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        (page,) = [page async for page in connection.control_plane.list()]
        sent = on_the_wire(completed(mapping))  # nulls and all
        assert [listed.configuration for listed in page] == [sent | {"FilterCriteria": None}]
        got = await connection.control_plane.get(mapping["UUID"])
        assert got.configuration == sent
        assert got.configuration.items() >= mapping.items()
        assert type(got.configuration["LastModified"]) is float
        hasty.time = 0.75
        accepted = await connection.control_plane.update(mapping["UUID"], {"BatchSize": 7})
        assert accepted.configuration == sent | {"State": "Updating", "BatchSize": 7, "LastModified": 1e9 + 0.75}


async def test_requests_are_counted_by_kind_and_by_what_came_of_them() -> None:
    hasty = HastyClock()
    async with (
        simulated(hasty, quota_per_second=15.0, burst=1.0) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        control_plane = connection.control_plane
        await all_pages(control_plane)
        await control_plane.update(UUID, {"Enabled": True})
        in_use = await failure(control_plane.update(UUID, {"Enabled": True}))
        assert in_use.code == "ResourceInUseException"
        for _ in range(5):
            await control_plane.get(UUID)
        gone = await failure(control_plane.get("ffffffff-0000-4000-8000-000000000000"))
        assert gone.code == "ResourceNotFoundException"  # an answer like any other
        with anyio.move_on_after(0) as overtaken:
            await control_plane.get(UUID)
        assert overtaken.cancelled_caught
        report = simulator.report()
        throttled = report.count(status=429)
        assert throttled > 3
        assert control_plane.requests == Counter(
            {
                ("list", "ok"): 3,
                ("update", "ok"): 1,
                ("update", "error"): 1,
                ("get", "ok"): 6,
                ("list", "throttled"): report.count("list", 429),
                ("update", "throttled"): report.count("update", 429),
                ("get", "throttled"): report.count("get", 429),
            }
        )
        counts = control_plane.request_counts()
        assert {kind: counts[kind] for kind in ("list", "get", "update")} == requests_seen(simulator)
        assert (counts["throttled"], counts["errors"]) == (throttled, 1)
        assert control_plane.pacer.statistics().throttles == throttled
        assert control_plane.pacer.statistics().granted == report.count()


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ThrottlingException"])
async def test_both_forms_of_throttle_only_delay(code: Any) -> None:
    hasty = HastyClock()
    faults = Faults(throttle_code=code)
    async with (
        simulated(hasty, quota_per_second=15.0, burst=1.0, faults=faults) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        for mapping in FLEET.mappings[:20]:
            await connection.control_plane.get(mapping["UUID"])
        assert connection.control_plane.requests["get", "throttled"] > 0
        assert connection.control_plane.requests["get", "ok"] == 20


async def test_retry_after_is_waited_for() -> None:
    hasty = HastyClock()
    faults = Faults(retry_after_s=9)
    async with (
        simulated(hasty, quota_per_second=15.0, burst=1.0, faults=faults) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        await connection.control_plane.get(UUID)
        await connection.control_plane.get(UUID)
        assert connection.control_plane.requests["get", "throttled"] == 1
        assert 9 <= hasty.time < 9.1


async def test_a_throttle_delays_to_the_deadline_and_no_further() -> None:
    hasty = HastyClock()
    faults = Faults(other_caller_share=2.0)
    async with (
        simulated(hasty, quota_per_second=15.0, burst=1.0, faults=faults) as simulator,
        connected(simulator, clock=hasty.clock, max_per_second=12.0) as connection,
    ):
        hasty.time = 1.0  # the other caller has drained what was saved up
        error = await failure(connection.control_plane.update(UUID, {"Enabled": True}, deadline=61.0))
        assert error.code == "TooManyRequestsException"
        assert 61 <= hasty.time < 63
        assert connection.control_plane.requests == Counter(
            {("update", "throttled"): simulator.report().count("update", 429)}
        )


async def test_server_errors_are_tried_again_but_not_for_ever() -> None:
    hasty = HastyClock()
    async with (
        simulated(hasty, faults=Faults(error_share=1.0)) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        control_plane = connection.control_plane
        assert (await failure(control_plane.get(UUID))).code == "ServiceException"
        assert (await failure(all_pages(control_plane))).status == 500
        assert requests_seen(simulator) == {"list": 8, "get": 8, "update": 0}
        assert control_plane.request_counts()["errors"] == 16


async def test_some_server_errors_are_not_noticed() -> None:
    hasty = HastyClock()
    async with (
        simulated(hasty, faults=Faults(error_share=0.3, cut_before_share=0.1, cut_after_share=0.1)) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        assert [len(page) for page in await all_pages(connection.control_plane)] == [100, 100, 50]
        for mapping in FLEET.mappings[:20]:
            assert (await connection.control_plane.get(mapping["UUID"])).uuid == mapping["UUID"]
        assert connection.control_plane.request_counts()["errors"] > 5


@pytest.mark.parametrize(
    ("faults", "accepted"),
    [
        (Faults(cut_before_share=1.0), 0),
        (Faults(cut_after_share=1.0), 1),
        (Faults(error_share=1.0), 0),
    ],
)
async def test_an_update_that_may_have_been_applied_is_not_sent_again(faults: Faults, accepted: int) -> None:
    hasty = HastyClock()
    async with simulated(hasty, faults=faults) as simulator, connected(simulator, clock=hasty.clock) as connection:
        goings: list[str] = []
        error = await failure(
            connection.control_plane.update(UUID, {"Enabled": True}, before_sending=lambda: goings.append("out"))
        )
        assert error.sent
        report = simulator.report()
        # Nothing below us sent it again either: aiohttp would have, as HTTP calls PUT idempotent.
        assert report.count("update") == len(goings) == connection.control_plane.requests["update", "error"] == 1
        assert next(seen.accepted_count for seen in report.mappings if seen.uuid == UUID) == accepted


async def test_a_cut_on_a_connection_that_was_used_before_is_not_hidden_either() -> None:
    hasty = HastyClock()
    faults = Faults(cut_after_share=0.5)
    async with (
        simulated(hasty, settle_scale=0.0, faults=faults) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        control_plane = connection.control_plane
        for mapping in FLEET.mappings[:60]:
            with suppress(ServiceError):
                await control_plane.update(mapping["UUID"], {"Enabled": False})
        report = simulator.report()
        assert report.count("update", 0) == control_plane.requests["update", "error"] > 10
        assert report.count("update", 202) == control_plane.requests["update", "ok"] > 10
        assert {seen.accepted_count for seen in report.mappings} == {0, 1}


async def test_an_update_that_cannot_have_arrived_is_sent_again() -> None:
    hasty = HastyClock()
    async with simulated(hasty) as simulator:
        pass  # nobody listens there any more
    async with connected(simulator, clock=hasty.clock) as connection:
        goings: list[str] = []
        error = await failure(
            connection.control_plane.update(UUID, {"Enabled": True}, before_sending=lambda: goings.append("out"))
        )
        assert not error.sent
        assert len(goings) == 8


async def test_what_keeps_an_update_from_going() -> None:
    hasty = HastyClock()

    def no() -> None:
        raise InterruptedError("not now")

    async with simulated(hasty) as simulator, connected(simulator, clock=hasty.clock) as connection:
        with pytest.raises(InterruptedError):
            await connection.control_plane.update(UUID, {"Enabled": True}, before_sending=no)
        assert simulator.report().count() == 0
        assert not connection.control_plane.requests


async def test_refusals_come_once_in_lambdas_own_words() -> None:
    hasty = HastyClock()
    mapping = a_mapping()
    async with (
        simulated(hasty, fleet=[mapping], faults=Faults(refused_share=1.0)) as simulator,
        connected(simulator, clock=hasty.clock) as connection,
    ):
        control_plane = connection.control_plane
        refused = await failure(control_plane.update(mapping["UUID"], {"Enabled": False}))
        assert (refused.code, refused.status) == ("InvalidParameterValueException", 400)
        assert refused.message.startswith("Queue visibility timeout: 30 seconds is less than")
        assert refused.request_id
        out_of_bounds = await failure(control_plane.update(mapping["UUID"], {"BatchSize": 20_000}))
        assert out_of_bounds.code == "ValidationException"
        assert "batchSize" in out_of_bounds.message
        unknown = await failure(control_plane.get("0" * 36))
        assert (unknown.code, unknown.message) == (
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
        )
        never_sent = await failure(control_plane.update(mapping["UUID"], {"BatchSize": "many"}))
        assert (never_sent.code, never_sent.sent) == ("ParamValidation", False)
        assert requests_seen(simulator) == {"list": 0, "get": 1, "update": 2}


@pytest.mark.parametrize(
    ("faults", "word"),
    [
        (Faults(denied_accounts=frozenset({"123456789012"})), "AccessDeniedException"),
        (Faults(expires_after_s=0.0), "ExpiredTokenException"),
    ],
)
async def test_who_may_not_is_told_once(faults: Faults, word: str) -> None:
    hasty = HastyClock()
    async with simulated(hasty, faults=faults) as simulator, connected(simulator, clock=hasty.clock) as connection:
        control_plane = connection.control_plane
        with pytest.raises(AccessError, match=f"lambda:ListEventSourceMappings was refused .{word}"):
            await all_pages(control_plane)
        with pytest.raises(AccessError, match=f"lambda:GetEventSourceMapping was refused .{word}"):
            await control_plane.get(UUID)
        with pytest.raises(AccessError, match=f"lambda:UpdateEventSourceMapping was refused .{word}"):
            await control_plane.update(UUID, {"Enabled": True})
        assert requests_seen(simulator) == {"list": 1, "get": 1, "update": 1}
        assert control_plane.request_counts()["errors"] == 3


async def test_an_update_answered_with_nothing() -> None:
    hasty = HastyClock()
    async with (
        answering(lambda _: web.json_response({}, status=202)) as url,
        simulated(hasty) as simulator,
        connected(simulator, clock=hasty.clock, AWS_ENDPOINT_URL_LAMBDA=url) as connection,
    ):
        error = await failure(connection.control_plane.update(UUID, {"Enabled": True}))
        assert (error.code, error.status) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize("body", ["<p>log in here</p>", "[1]", '"ok"'])
async def test_an_answer_that_is_not_lambdas(body: str) -> None:
    hasty = HastyClock()
    async with (
        answering(lambda _: web.Response(text=body)) as url,
        simulated(hasty) as simulator,
        connected(simulator, clock=hasty.clock, AWS_ENDPOINT_URL_LAMBDA=url) as connection,
    ):
        error = await failure(connection.control_plane.get(UUID))
        assert (error.status, error.sent) == (0, True)
        assert connection.control_plane.requests["get", "error"] == 8


async def test_where_requests_go() -> None:
    hasty = HastyClock()
    async with simulated(hasty) as simulator:
        async with connected(simulator) as connection:
            assert connection.control_plane.endpoint_url == simulator.endpoint_url
            assert not connection.control_plane.is_aws
            assert (connection.region, connection.control_plane.region) == ("us-east-1", "us-east-1")
        async with connected(simulator, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true") as connection:
            assert connection.control_plane.is_aws


async def test_tags_are_read_in_one_paged_sweep_outside_lambdas_quota() -> None:
    hasty = HastyClock()
    async with simulated(hasty) as simulator, connected(simulator, clock=hasty.clock) as connection:
        tagged = {arn: tags for arn, tags in FLEET.tags.items() if ":event-source-mapping:" in arn}
        assert len(tagged) > 100
        types = ["lambda:event-source-mapping"]
        assert await connection.tags(types, ("team=billing", "team")) == tagged
        assert simulator.report().count("tagging") == math.ceil(len(tagged) / 50)
        assert await connection.tags(types, ("colour",)) == {}  # one key: the service filters
        assert await connection.tags(types, ("colour", "team")) == tagged  # several: any of them will do
        functions = {arn: tags for arn, tags in FLEET.tags.items() if ":function:" in arn}
        assert await connection.tags(["lambda:function"], ("env",)) == functions
        assert connection.control_plane.requests == Counter()


async def test_tags_refused() -> None:
    hasty = HastyClock()
    faults = Faults(denied_accounts=frozenset({"123456789012"}))
    async with simulated(hasty, faults=faults) as simulator, connected(simulator) as connection:
        with pytest.raises(AccessError, match="tag:GetResources was refused"):
            await connection.tags(["lambda:function"], ("env",))
        assert simulator.report().count("tagging") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[1]",
        b"null",
        b'{"message": 5}',
        b'{"Message": [1], "__type": {"a": 1}}',
        b'{"code": 7}',
        b'{"message": "\\ud800"}',
    ],
    ids=lambda body: str(body[:20]),
)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_no_answer_is_beyond_understanding(body: bytes, status: int) -> None:
    hasty = HastyClock()
    async with (
        answering(lambda _: web.Response(body=body, status=status, content_type="application/json")) as url,
        simulated(hasty) as simulator,
        connected(simulator, clock=hasty.clock, AWS_ENDPOINT_URL_LAMBDA=url) as connection,
    ):
        error = await failure(connection.control_plane.update(UUID, {"Enabled": True}))
        assert isinstance(error.code, str)
        assert isinstance(error.message, str)
        assert error.sent
        if status != 200:
            assert error.status == status
