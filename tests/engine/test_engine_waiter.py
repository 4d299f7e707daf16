"""The waiter against a control plane that shows what a test says, in virtual time."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import anyio
import pytest
from engine_world import a_mapping, an_item, in_virtual_time, virtual_clock

from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.pacing import Pacer
from bulk_esm.engine.estimates import SettleTimes
from bulk_esm.engine.settling import Asked, Verdict
from bulk_esm.engine.waiter import Waiter
from bulk_esm.engine.waits import Settlement, Waits
from bulk_esm.errors import AccessError, ServiceError
from bulk_esm.model.census import Census
from bulk_esm.model.mapping import EventSourceMapping

NOT_FOUND = ServiceError(code="ResourceNotFoundException", message="", status=404)
BROKEN = ServiceError(code="ServiceException", message="broken", status=500)
DENIED = AccessError("refused")

Shown = dict[str, Any] | Exception | None
Look = Callable[[int, float], Shown]


def now() -> float:
    return asyncio.get_running_loop().time()


def pauses_at(second: float) -> Look:
    """What a mapping shows that comes to rest then; every look is fresh."""
    return lambda _, at: {"State": "Disabled" if at >= second else "Disabling", "LastModified": at}


class Fake:
    """A control plane of numbered mappings, each of which Get and List show as functions of the time.

    Attributes:
        get_shows: what Get shows of a mapping, by its number and the time; None is 404.
        list_shows: what List shows of it, in place of that; None is nothing.
        looks: the looks that were taken, as (when, kind, what).
    """

    def __init__(self, count: int, shows: Look, *, in_list: Look | None = None, page_s: float = 0.0) -> None:
        self.pacer = Pacer(max_per_second=15.0)
        self.mappings = [a_mapping(number) for number in range(count)]
        self.census = Census(complete=True)
        self.count()
        self.get_shows = shows
        self.list_shows = in_list or shows
        self.page_s = page_s
        self.looks: list[tuple[float, str, str]] = []

    def count(self) -> None:
        self.census = Census(complete=True)
        self.census.add(map(EventSourceMapping, self.mappings))

    def kinds(self) -> Counter[str]:
        return Counter(kind for _, kind, _ in self.looks)

    def times(self, kind: str) -> list[float]:
        return [at for at, what, _ in self.looks if what == kind]

    def backoff_s(self, failures: int) -> float:
        return float(failures)

    async def get(self, uuid: str, *, deadline: float) -> EventSourceMapping:  # noqa: ARG002 - as the real one
        self.looks.append((now(), "get", uuid))
        await asyncio.sleep(self.page_s)
        number = next(number for number, mapping in enumerate(self.mappings) if mapping["UUID"] == uuid)
        shown = self.get_shows(number, now())
        if isinstance(shown, Exception) or shown is None:
            raise shown or NOT_FOUND
        return EventSourceMapping(self.mappings[number] | shown)

    async def list(
        self, *, function_name: str | None = None, event_source_arn: str | None = None
    ) -> AsyncGenerator[list[EventSourceMapping], None]:
        kind = "function" if function_name else "source" if event_source_arn else "sweep"
        shown = [
            number
            for number, mapping in enumerate(self.mappings)
            if function_name in (None, mapping["FunctionArn"]) and event_source_arn in (None, mapping["EventSourceArn"])
        ]
        for start in range(0, max(1, len(shown)), 100):
            self.looks.append((now(), kind, function_name or event_source_arn or ""))
            await asyncio.sleep(self.page_s)
            looks = [(number, self.list_shows(number, now())) for number in shown[start : start + 100]]
            for _, look in looks:
                if isinstance(look, Exception):
                    raise look
            yield [
                EventSourceMapping(self.mappings[number] | cast("dict[str, Any]", look))
                for number, look in looks
                if look is not None
            ]

    def asked(self, number: int = 0, *, accepted_at: float = 0.0, **request: Any) -> Asked:
        item = an_item(number, request, **self.mappings[number])
        return Asked(item=item, planned_stamp=-0.5, accepted_stamp=accepted_at)


@asynccontextmanager
async def waiter_on(there: Fake, **options: Any) -> AsyncIterator[Waiter]:
    """A waiter at work."""
    waiter = Waiter(cast("ControlPlane", there), clock=virtual_clock(), **options)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waiter.run)
        yield waiter
        tasks.cancel_scope.cancel()


async def settled(waiter: Waiter, asked: Asked, *, deadline: float) -> Settlement:
    ended: asyncio.Future[Settlement] = asyncio.get_running_loop().create_future()
    waiter.wait_for(asked, deadline=deadline, ended=ended.set_result)
    return await ended


async def all_of(waits: Sequence[Awaitable[Settlement]]) -> list[Settlement]:
    return await asyncio.gather(*waits)


async def settle(there: Fake, numbers: range | None = None, *, deadline: float = 900.0, **request: Any) -> Waiter:
    """Wait for some to settle, all accepted now; returns the waiter once it has seen it."""
    async with waiter_on(there) as waiter:
        waits = [
            settled(waiter, there.asked(number, **request), deadline=deadline)
            for number in numbers or range(len(there.mappings))
        ]
        assert {settlement.verdict for settlement in await all_of(waits)} == {Verdict.SETTLED}
    return waiter


async def one_settlement(there: Fake, *, deadline: float = 900.0, **request: Any) -> Settlement:
    async with waiter_on(there) as waiter:
        settlement = await settled(waiter, there.asked(**request), deadline=deadline)
        assert waiter.statistics().waiting == 0
    return settlement


@in_virtual_time
async def test_one_is_looked_at_with_get_when_it_is_likely_to_have_settled_then_ever_later() -> None:
    there = Fake(1, pauses_at(20))
    settlement = await one_settlement(there)
    assert settlement.verdict is Verdict.SETTLED
    assert settlement.mapping is not None
    assert settlement.mapping.state == "Disabled"
    looks = there.times("get")
    assert looks[0] == pytest.approx(7.5, abs=0.4)  # the likely time of a queue
    assert 20 <= looks[-1] < 22
    assert len(looks) == len(there.looks) <= 18


@in_virtual_time
async def test_many_are_looked_at_with_sweeps() -> None:
    there = Fake(300, pauses_at(5))
    waiter = await settle(there)
    assert there.kinds().keys() == {"sweep"}
    statistics = waiter.statistics()
    assert statistics.looks == {"get": 0, "function": 0, "source": 0, "sweep": len(there.looks) / 3}
    assert statistics.looks["sweep"] <= 3
    assert (statistics.waiting, statistics.found, statistics.list_lag_s) == (0, 300, 0)


@pytest.mark.parametrize(("kind", "member"), [("function", "FunctionArn"), ("source", "EventSourceArn")])
@in_virtual_time
async def test_many_of_one_function_or_source_are_looked_at_with_narrowed_lists(kind: str, member: str) -> None:
    there = Fake(2000, pauses_at(5))
    for mapping in there.mappings[1000:1030]:
        mapping[member] = there.mappings[0][member]
    there.count()
    waiter = await settle(there, range(1000, 1030))
    assert [(what, key) for _, what, key in there.looks] == [(kind, there.mappings[0][member])]
    assert waiter.statistics().looks[kind] == 1


@in_virtual_time
async def test_a_function_that_is_changed_is_not_what_list_is_narrowed_to() -> None:
    """The function that it had would no longer show it."""
    there = Fake(
        2000, lambda _, at: {"FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:new", "LastModified": at}
    )
    for mapping in there.mappings[1000:1030]:
        mapping["FunctionArn"] = there.mappings[0]["FunctionArn"]
    there.count()
    await settle(there, range(1000, 1030), FunctionName="new")
    assert there.kinds().keys() <= {"sweep", "get"}


@in_virtual_time
async def test_a_sweep_ends_with_the_page_that_shows_the_last() -> None:
    there = Fake(1000, pauses_at(5))
    await settle(there, range(150, 250))
    assert there.kinds() == {"sweep": 3}


@in_virtual_time
async def test_while_updates_wait_only_rich_looks_are_taken() -> None:
    there = Fake(100, pauses_at(5))
    updates_wait = True
    async with waiter_on(there, updates_wait=lambda: updates_wait) as waiter, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(lambda n: settled(waiter, there.asked(n), deadline=900), number)
        await anyio.sleep(60.1)
        assert there.looks == []
        updates_wait = False
        await anyio.sleep(0.5)
        assert there.kinds() == {"sweep": 1}  # at once
        assert waiter.statistics().waiting == 0
        updates_wait = True
        for number in range(60):
            tasks.start_soon(lambda n: settled(waiter, there.asked(n), deadline=900), number)
        await anyio.sleep(60)
        assert there.kinds() == {"sweep": 2}


@in_virtual_time
async def test_the_slow_do_not_keep_the_fast_waiting() -> None:
    """Nor does the time between turns, which goes by what is waited for."""
    there = Fake(200, pauses_at(5))
    there.mappings[0]["EventSourceArn"] = "arn:aws:rds:us-east-1:123456789012:cluster:c"
    there.count()
    async with waiter_on(there) as waiter, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: settled(waiter, there.asked(0), deadline=900))
        await anyio.sleep(1)
        await settled(waiter, there.asked(1), deadline=900)
        assert now() < 10
        tasks.cancel_scope.cancel()


@in_virtual_time
async def test_a_lagging_list_neither_confirms_nor_fails_and_the_lag_is_learned() -> None:
    def in_list(_: int, at: float) -> dict[str, Any]:
        seen = at - 30
        if seen < 0:
            return {"State": "Disabled", "LastModified": -1.0}  # paused by someone in former times
        return {"State": "Disabled" if seen >= 5 else "Disabling", "LastModified": seen}

    there = Fake(300, pauses_at(5), in_list=in_list)
    waiter = await settle(there)
    assert there.kinds().keys() == {"sweep"}
    assert 35 <= now() < 60
    assert 20 < waiter.statistics().list_lag_s <= 30
    assert len(there.looks) <= 300 * 0.2


@in_virtual_time
async def test_the_lag_is_forgotten_when_list_is_fresh_again() -> None:
    lag_s = 30.0

    def in_list(_: int, at: float) -> dict[str, Any]:
        return {"State": "Disabled", "LastModified": at - lag_s}

    there = Fake(300, pauses_at(0), in_list=in_list)
    async with waiter_on(there) as waiter:
        for spread_s in (0.0, 0.1):

            async def wait(number: int, *, after_s: float = spread_s) -> None:
                await asyncio.sleep(number * after_s)
                await settled(waiter, there.asked(number, accepted_at=now()), deadline=9000)

            await asyncio.gather(*map(wait, range(300)))
            assert (waiter.statistics().list_lag_s > 15) == (lag_s > 0)
            lag_s = 0.0
    assert len(there.looks) <= 600 * 0.2  # what was learned of either is no reason to look all the time


@in_virtual_time
async def test_a_page_asked_for_before_an_update_was_accepted_tells_nothing_of_it() -> None:
    """It may show someone else's change, at rest and as asked, from before the update."""
    there = Fake(300, pauses_at(1000), in_list=lambda _, at: {"State": "Disabled", "LastModified": at}, page_s=4.0)
    async with waiter_on(there) as waiter, anyio.create_task_group() as tasks:
        for number in range(299):
            tasks.start_soon(lambda n: settled(waiter, there.asked(n), deadline=900), number)
        await anyio.sleep(13)
        assert [kind for _, kind, _ in there.looks] == ["sweep"] * 3
        assert 9 < there.looks[2][0] < 13 < there.looks[2][0] + 4  # the last page is under way
        tasks.start_soon(lambda: settled(waiter, there.asked(299), deadline=900))
        await anyio.sleep(3)
        statistics = waiter.statistics()
        assert (statistics.waiting, statistics.found, statistics.list_lag_s) == (1, 299, 0)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
@in_virtual_time
async def test_a_list_that_contradicts_is_settled_by_one_get_each_and_does_not_doubt_again(state: str) -> None:
    """A List at rest, as before or as nobody wants it, with a fresh LastModified: no witness."""

    def in_list(_: int, at: float) -> dict[str, Any]:
        wrong = {"State": state, "BatchSize": 10 if state == "Enabled" else 99, "LastModified": 1.125}
        return wrong if at < 60 else {"State": "Disabled", "BatchSize": 5, "LastModified": 60.0}

    def shows(_: int, at: float) -> dict[str, Any]:
        return {"State": "Disabled" if at >= 50 else "Disabling", "BatchSize": 5, "LastModified": 1.125}

    there = Fake(200, shows, in_list=in_list)
    await settle(there, Enabled=False, BatchSize=5)
    assert there.kinds()["get"] == 200
    assert there.times("get")[-1] < 15
    assert 60 <= now() < 75


@in_virtual_time
async def test_a_list_that_contradicts_what_has_settled_costs_one_get() -> None:
    there = Fake(200, pauses_at(2), in_list=lambda _, at: {"State": "Enabled", "LastModified": at})
    await settle(there)
    assert there.kinds() == {"sweep": 2, "get": 200}


@pytest.mark.parametrize(
    ("state", "verdict"), [({}, Verdict.NOT_APPLIED), ({"BatchSize": 7}, Verdict.CHANGED)]
)  # fmt: skip
@in_virtual_time
async def test_a_mismatch_counts_once_a_second_get_has_seen_it(state: dict[str, Any], verdict: Verdict) -> None:
    stays = Fake(1, lambda _, at: {"LastModified": at} | state)
    settlement = await one_settlement(stays, BatchSize=5)
    assert settlement.verdict is verdict
    assert settlement.mapping is not None
    first, second = stays.times("get")
    assert 1.5 <= second - first <= 4


@in_virtual_time
async def test_a_mismatch_that_passes_does_not_count() -> None:
    """Two mismatches with a look between them that saw something else are not confirmed."""
    states = iter(["Enabled", "Disabling", "Enabled", "Disabling", "Disabled"])
    there = Fake(1, lambda _, at: {"State": next(states), "LastModified": at})
    assert (await one_settlement(there)).verdict is Verdict.SETTLED


@in_virtual_time
async def test_list_does_not_hasten_the_second_get() -> None:
    """However often sweeps for others show the same, with an ever newer LastModified."""
    there = Fake(1, lambda _, at: {"LastModified": at})
    async with waiter_on(there) as waiter, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: settled(waiter, there.asked(), deadline=900))
        await anyio.sleep(1)
        (wait,) = waiter._waits
        while waiter.statistics().waiting:
            if there.looks:
                seen = EventSourceMapping(there.mappings[0] | {"LastModified": now()})
                waiter._waits._heed_list(wait, seen, age_s=now())
            await anyio.sleep(0.1)
    first, second = there.times("get")
    assert second - first >= 1


@in_virtual_time
async def test_one_that_is_gone() -> None:
    assert await one_settlement(Fake(1, lambda *_: None)) == Settlement(Verdict.GONE, None)


@in_virtual_time
async def test_what_list_does_not_show_is_asked_for_with_get() -> None:
    """It is gone, or only List does not show it."""

    def in_list(number: int, at: float) -> Shown:
        return None if number in (3, 4) else pauses_at(2)(number, at)

    def shows(number: int, at: float) -> Shown:
        return None if number == 3 else pauses_at(2)(number, at)

    there = Fake(150, shows, in_list=in_list)
    async with waiter_on(there) as waiter:
        waits = [settled(waiter, there.asked(number), deadline=900) for number in range(150)]
        verdicts = [settlement.verdict for settlement in await all_of(waits)]
    assert verdicts == [Verdict.GONE if number == 3 else Verdict.SETTLED for number in range(150)]
    assert there.kinds() == {"sweep": 2, "get": 2}


@in_virtual_time
async def test_encrypted_filters_are_looked_at_with_get_only() -> None:
    """List shows them as null, which looks as if they had been removed."""
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    filters = {"Filters": [{"Pattern": "{}"}]}
    there = Fake(
        130,
        lambda _, at: {"FilterCriteria": filters, "LastModified": at},
        in_list=lambda _, at: {"FilterCriteria": None, "LastModified": at},
    )
    for mapping in there.mappings:
        mapping["KMSKeyArn"] = key
    await settle(there, FilterCriteria=filters)
    assert there.kinds() == {"get": 130}
    await settle(there, FilterCriteria=filters, KMSKeyArn=key)
    assert there.kinds() == {"get": 260}


@in_virtual_time
async def test_at_the_deadline_it_looks_once_more() -> None:
    stuck = Fake(1, pauses_at(1000))
    settlement = await one_settlement(stuck, deadline=30)
    assert (settlement.verdict, settlement.failure) == (Verdict.TIMED_OUT, None)
    assert settlement.mapping is not None
    assert settlement.mapping.state == "Disabling"
    assert 30 <= stuck.times("get")[-1] < 31
    late = Fake(1, pauses_at(29.9))
    assert (await one_settlement(late, deadline=30)).verdict is Verdict.SETTLED


@in_virtual_time
async def test_at_the_deadline_it_looks_with_get_at_what_list_said_was_on_its_way() -> None:
    there = Fake(200, pauses_at(20), in_list=pauses_at(1000))
    await settle(there, deadline=50)
    assert there.kinds()["get"] == 200
    assert all(50 <= at < 51 for at in there.times("get"))


@pytest.mark.parametrize("updates_wait", [True, False])
@in_virtual_time
async def test_at_the_deadline_it_looks_even_if_updates_wait(updates_wait: bool) -> None:  # noqa: FBT001 - a parameter
    there = Fake(1, pauses_at(1000))
    async with waiter_on(there, updates_wait=lambda: updates_wait) as waiter:
        settlement = await settled(waiter, there.asked(), deadline=30)
    assert settlement.verdict is Verdict.TIMED_OUT
    assert now() < 40


@in_virtual_time
async def test_looks_that_fail_are_repeated_and_what_they_fail_with_is_the_end() -> None:
    there = Fake(1, lambda *_: BROKEN)
    settlement = await one_settlement(there, deadline=60)
    assert settlement == Settlement(Verdict.TIMED_OUT, None, BROKEN)
    looks = there.times("get")
    assert 5 < len(looks) < 12
    assert all(later - sooner >= 8 for sooner, later in pairwise(looks))  # the back-off
    assert 60 <= now() < 75


@pytest.mark.parametrize("count", [1, 200])
@in_virtual_time
async def test_a_look_that_fails_for_a_while_does_no_harm(count: int) -> None:
    there = Fake(count, lambda number, at: BROKEN if at < 60 else pauses_at(0)(number, at))
    await settle(there)


@in_virtual_time
async def test_a_list_that_fails_does_not_end_what_a_get_would_show() -> None:
    there = Fake(200, pauses_at(20), in_list=lambda *_: BROKEN, page_s=0.1)
    await settle(there, deadline=50)
    assert there.kinds()["get"] == 200


@pytest.mark.parametrize("member", ["FunctionArn", "EventSourceArn"])
@in_virtual_time
async def test_a_narrowed_list_that_is_refused_is_not_asked_for_again(member: str) -> None:
    """A Region's name that List's own pattern does not take, say: to ask again and again would never end."""
    there = Fake(30, pauses_at(100))
    everything = there.list

    async def narrowed_is_refused(**narrowed: str | None) -> AsyncGenerator[list[EventSourceMapping], None]:
        if any(narrowed.values()):
            there.looks.append((now(), "refused", ""))
            raise ServiceError(code="ValidationException", message="no such ARN", status=400)
        async for page in everything():
            yield page

    there.list = narrowed_is_refused  # type: ignore[method-assign]
    for number in range(2_000):
        there.mappings.append(there.mappings[0] | {"UUID": f"{number:08}-1111-4000-8000-000000000000"})
    for mapping in there.mappings[:30]:
        mapping[member] = f"{there.mappings[0][member]}-same"
    there.count()
    await settle(there, range(30))
    assert there.kinds()["refused"] == 1


@in_virtual_time
async def test_a_get_may_be_retried_until_the_deadline_and_no_longer() -> None:
    """Else one that is throttled for ever would be waited for for ever."""
    there = Fake(1, pauses_at(20))
    get, deadlines = there.get, []

    async def watched(uuid: str, *, deadline: float) -> EventSourceMapping:
        deadlines.append(deadline)
        return await get(uuid, deadline=deadline)

    there.get = watched  # type: ignore[method-assign]
    await one_settlement(there, deadline=77)
    assert set(deadlines) == {77}


@in_virtual_time
async def test_an_old_picture_is_no_answer_and_is_not_asked_for_at_every_turn() -> None:
    there = Fake(1, lambda _, at: {"State": "Disabled", "LastModified": -1.0 if at < 60 else at})
    settlement = await one_settlement(there)
    assert settlement.verdict is Verdict.SETTLED
    assert 60 <= now() < 65
    assert len(there.looks) < 40


@pytest.mark.parametrize("count", [3, 200])
@in_virtual_time
async def test_refused_credentials_end_it(count: int) -> None:
    there = Fake(count, lambda number, at: DENIED if at > 3 else pauses_at(9)(number, at))
    waiter = Waiter(cast("ControlPlane", there), clock=virtual_clock())
    for number in range(count):
        waiter.wait_for(there.asked(number), deadline=900, ended=lambda _: pytest.fail("nobody knows how it ended"))
    with pytest.raises(AccessError):
        await waiter.run()
    assert waiter.statistics().waiting == count
    assert waiter._looking_at == set()


@in_virtual_time
async def test_each_is_told_once_however_many_looks_see_it() -> None:
    there = Fake(1, pauses_at(0))
    settlements: list[Settlement] = []
    waits = Waits(SettleTimes(max_per_second=15), virtual_clock())
    waits.add(there.asked(), 900, settlements.append)
    (wait,) = waits
    seen = EventSourceMapping(there.mappings[0] | {"State": "Disabled", "LastModified": 1.0})
    await asyncio.sleep(1)
    waits.heed_page([seen, seen], started_at=now())
    for look in (seen, None):
        waits.heed_get(wait, look, started_at=now())
    waits.give_up_if_late(wait)
    assert settlements == [Settlement(Verdict.SETTLED, seen)]
    assert (len(waits), waits.found) == (0, 1)


@in_virtual_time
async def test_statistics() -> None:
    there = Fake(300, lambda number, at: pauses_at(4.0 + number / 10)(number, at))
    async with waiter_on(there) as waiter:
        tasks = [asyncio.create_task(settled(waiter, there.asked(number), deadline=900)) for number in range(300)]
        for _ in range(100):
            await asyncio.sleep(1)
            statistics = waiter.statistics()
            assert statistics.waiting + statistics.found == 300
            assert statistics.looks["get"] == there.kinds()["get"]
            assert statistics.looks["sweep"] <= there.kinds()["sweep"] <= statistics.looks["sweep"] * 3
        assert statistics.found == 300
        assert sum(statistics.looks.values()) < 30
        await all_of(list(tasks))
