"""The gate that watches metrics, by a clock of the test's own; what it reads is a double's."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from bulk_esm.clock import Clock
from bulk_esm.errors import ServiceError
from bulk_esm.gates.gate import Stage, WaveEnd
from bulk_esm.gates.metrics import MetricGate, WatchSettings
from bulk_esm.model.gating import GateAnswer, Inconclusive
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.measures import MetricQuery, Place
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.watching import Watch
from bulk_esm.runs.watched import Watched

BEGAN_AT = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
ACCOUNT = "123456789012"
WAVES = 2


def item(number: int, *, action: Action = Action.UPDATE, qualifier: str = "", **request: Any) -> PlanItem:
    return PlanItem(
        uuid=f"uuid-{number}",
        function_arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f{number}{qualifier}",
        event_source_arn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:q{number}",
        source_type=SourceType.SQS,
        state="Enabled",
        action=action,
        request={"BatchSize": 5, **request} if action is Action.UPDATE else {},
    )


class World:
    """Functions of which the first is changed in wave 1, and the others in wave 2; and a gate that watches them."""

    def __init__(self, *watches: str, functions: int = 5, **settings: Any) -> None:
        self.now = BEGAN_AT
        self.items = [item(number) for number in range(functions)]
        self.shares: dict[str, float] = {}
        self.silent: set[str] = set()
        self.levels: dict[str, float] = {}
        self.expression_says: list[float] = []
        self.error: ServiceError | None = None
        self.asked: list[MetricQuery] = []
        self.reads = 0
        self.told: list[str] = []
        parsed = [Watch.parse(text) for text in watches]
        self.watched = Watched(parsed, [(each, 1 if each.uuid == "uuid-0" else 2) for each in self.items])
        self.gate = MetricGate(
            parsed,
            self,
            self.watched.of,
            WatchSettings(began_at=BEGAN_AT, **settings),
            tell=self.told.append,
            expressions={watch.file: [] for watch in parsed if watch.file},
            clock=Clock(monotonic=self.elapsed_s, now=lambda: self.now),
        )

    def elapsed_s(self) -> float:
        return (self.now - BEGAN_AT).total_seconds()

    async def read(
        self, queries: Sequence[MetricQuery], *, since: int, until: int
    ) -> Mapping[MetricQuery, Mapping[int, float]]:
        if self.error is not None:
            raise self.error
        assert until * 60 <= self.now.timestamp() - 180  # never of what CloudWatch may not have whole
        self.reads += 1
        self.asked += queries
        return {query: self._values(query, range(since, until)) for query in queries}

    def _values(self, query: MetricQuery, minutes: range) -> dict[int, float]:
        name = dict(query.dimensions).get("FunctionName", "")
        if name in self.silent:
            return {}
        began = int(BEGAN_AT.timestamp() // 60)
        shares = {minute: self.shares.get(name, 0.01) if minute >= began else 0.01 for minute in minutes}
        match query.metric:
            case "Errors":
                # Whole numbers, and no two minutes quite alike.
                return {minute: share * 1000 + minute % 7 for minute, share in shares.items()}
            case "Invocations":
                return dict.fromkeys(minutes, 1000.0)
            case metric:
                return {minute: self.levels.get(metric, 1.0) + minute % 3 for minute in minutes}

    async def expression(self, queries: Sequence[Mapping[str, Any]], *, since: int, until: int) -> Sequence[float]:
        assert (list(queries), until - since) == ([], 5)
        return self.expression_says

    async def limit(self, place: Place) -> float:
        assert place == (ACCOUNT, "us-east-1")
        return 100.0

    def pass_minutes(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def change(self, *numbers: int, outcome: Outcome = Outcome.UPDATED) -> None:
        for number in numbers:
            each = self.items[number]
            result = Result(
                run_id="a-run",
                uuid=each.uuid,
                function_arn=each.function_arn,
                event_source_arn=each.event_source_arn,
                source_type=each.source_type,
                account_id=ACCOUNT,
                region="us-east-1",
                wave=1,
                outcome=outcome,
                state="Enabled",
                request=each.request,
                ended_at=self.now.isoformat(),
            )
            for exposure in self.watched.exposures.values():
                exposure.end(result)

    async def ask(self, stage: Stage = "between", wave: int = 1) -> GateAnswer:
        return await self.gate.check(WaveEnd(wave=wave, waves=WAVES, next_updates=1, outcomes={}, stage=stage))


async def waited_for(world: World, stage: Stage = "between", wave: int = 1) -> tuple[int, GateAnswer]:
    """Ask each minute until the gate can tell."""
    for minutes in range(60):
        answer = await world.ask(stage, wave)
        if not isinstance(answer, Inconclusive):
            return minutes, answer
        assert answer.needs_s > 0
        world.pass_minutes(1)
    raise AssertionError


async def test_a_comparison_waits_for_ten_minutes_and_halts() -> None:
    world = World("errors")
    assert await world.gate.check(None) is None
    assert await world.ask("before", 0) is None
    world.change(0)
    world.shares["f0"] = 0.04
    minutes, answer = await waited_for(world)
    assert minutes == 14  # one that had begun, ten whole ones, and three that CloudWatch may need
    assert isinstance(answer, str)
    assert "--watch errors: 1.30% before the run and 4.30% now of 1 changed function" in answer
    assert "1.30% and then 1.30% of 4 not changed yet (medians of 60 and 10 minutes); p = " in answer
    assert "may be spent at look 1, of 0.05 in all" in answer


async def test_what_is_well_goes_on() -> None:
    world = World("errors")
    world.change(0)
    assert await waited_for(world) == (14, None)


async def test_what_comes_over_all_functions_does_not_halt() -> None:
    world = World("errors")
    world.change(0)
    world.shares = {f"f{number}": 0.04 for number in range(5)}
    assert await waited_for(world) == (14, None)


async def test_without_control_before_and_after_are_left() -> None:
    world = World("errors")
    world.change(*range(5))
    world.shares = {f"f{number}": 0.04 for number in range(5)}
    _, answer = await waited_for(world, "bake", 2)
    assert isinstance(answer, str)
    assert "4.30% now of 5 changed functions (medians" in answer
    assert "not changed yet" not in answer


async def test_it_is_read_once_a_minute_however_often_it_is_asked() -> None:
    world = World("errors<90%")
    world.change(0)
    world.pass_minutes(20)
    for _ in range(10):
        await world.ask("during")
    assert world.reads == 1
    world.pass_minutes(1)
    await world.ask("during")
    assert world.reads == 2


async def test_what_is_changed_later_is_waited_for_too() -> None:
    """A second wave is not let through because of what is known of the first."""
    world = World("errors")
    world.change(0)
    assert await waited_for(world) == (14, None)
    world.change(1, 2)
    assert await world.ask("during", 2) is None  # something else is being changed, and the first is well
    world.change(3, 4)
    minutes, answer = await waited_for(world, "between", 2)
    assert (minutes, answer) == (14, None)


async def test_harm_of_an_earlier_wave_is_found_while_the_next_is_waited_for() -> None:
    world = World("errors")
    world.change(0)
    assert await waited_for(world) == (14, None)
    world.change(1, 2, 3, 4)
    world.shares["f0"] = 0.5
    world.pass_minutes(8)
    answer = await world.ask("between", 2)
    assert isinstance(answer, str)
    assert "of 1 changed function" in answer


async def test_a_value_before_there_is_a_run() -> None:
    world = World("errors<1%")
    answer = await world.gate.check(None)
    assert isinstance(answer, str)
    assert answer.startswith("--watch errors<1%: it is 1.")
    assert "of 5 functions, over 5 minutes" in answer


async def test_a_value_waits_for_five_minutes_and_halts() -> None:
    world = World("errors<3%")
    assert await world.gate.check(None) is None
    world.change(0)
    world.shares["f0"] = 0.04
    minutes, answer = await waited_for(world)
    assert minutes == 9
    assert isinstance(answer, str)
    assert "--watch errors<3%: it is 4." in answer


async def test_a_time_is_that_of_the_worst() -> None:
    world = World("queue-age<5s")
    world.levels = {"ApproximateAgeOfOldestMessage": 9.0}
    answer = await world.gate.check(None)
    assert answer == "--watch queue-age<5s: it is 10 s of 5 queues, over 5 minutes"
    assert {query.namespace for query in world.asked} == {"AWS/SQS"}
    assert world.asked[0].dimensions[0][0] == "QueueName"


async def test_the_account_s_concurrency() -> None:
    world = World("concurrency<5%")
    world.levels = {"ConcurrentExecutions": 9.0}
    answer = await world.gate.check(None)
    assert answer == "--watch concurrency<5%: it is 10.00% of 1 account, over 5 minutes"
    assert world.asked[0].dimensions == ()


async def test_an_expression() -> None:
    world = World("gate.json>5")
    world.expression_says = [9.0, 4.0, 3.0]
    assert await world.gate.check(None) == "--watch gate.json>5: it is 4, over 5 minutes"
    world.expression_says = [6.0]
    assert await world.gate.check(None) is None


@pytest.mark.parametrize("watch", ["concurrency<5%", "gate.json<5"])
async def test_what_tells_of_all_is_looked_at_while_nothing_has_settled_yet(watch: str) -> None:
    world = World(watch)
    world.levels = {"ConcurrentExecutions": 1.0}
    world.expression_says = [1.0]
    assert await world.ask("before", 0) is None
    world.pass_minutes(2)
    assert await world.ask("during") is None
    world.levels = {"ConcurrentExecutions": 9.0}
    world.expression_says = [9.0]
    world.pass_minutes(2)
    assert isinstance(await world.ask("during"), str)


async def test_without_points_before_a_run_it_is_only_told() -> None:
    """As of what is paused, and is to be resumed."""
    world = World("errors<1%")
    world.silent = {f"f{number}" for number in range(5)}
    assert await world.gate.check(None) is None
    assert "there are no points of the last 5 minutes" in world.told[0]
    world.change(0)
    world.pass_minutes(20)
    answer = await world.ask()
    assert isinstance(answer, Inconclusive)
    assert answer.needs_s == 0  # it could have told by now


async def test_functions_without_traffic_are_said() -> None:
    world = World("errors")
    world.silent = {"f1"}
    world.shares["f0"] = 0.04
    world.change(0, 1)
    _, answer = await waited_for(world, "between", 2)
    assert str(answer).endswith("left out: 3 being changed, 1 without traffic")
    world = World("errors")
    world.silent = {"f1", "f2"}
    world.shares["f0"] = 0.04
    world.change(0)
    _, answer = await waited_for(world)
    assert str(answer).endswith("left out: 2 not changed yet and without traffic")
    world = World("errors<1%")
    world.silent = {"f1"}
    assert str(await world.gate.check(None)).endswith("of 5 functions, over 5 minutes; 1 without traffic")
    world = World("errors")
    world.silent = {"f0"}
    world.change(0)
    world.pass_minutes(20)
    answer = await world.ask()
    assert isinstance(answer, Inconclusive)
    assert "none of 1 changed function has points before the run and since" in answer.reason


async def test_what_cannot_be_read_cannot_be_told() -> None:
    world = World("errors", "errors<5%")
    world.error = ServiceError(code="InternalFailure", message="later")
    answer = await world.gate.check(None)
    assert isinstance(answer, Inconclusive)
    assert "--watch errors: its metrics cannot be read: " in answer.reason


async def test_a_mapping_that_failed_is_no_change() -> None:
    world = World("errors")
    world.change(0, outcome=Outcome.FAILED)
    world.pass_minutes(30)
    assert await world.ask() is None
    assert world.watched.of(Watch.parse("errors")).sides(1).left_out == {"not updated as asked": 1}


async def test_nothing_to_watch_is_refused() -> None:
    answer = await World("iterator-age").gate.check(None)
    assert answer == ("--watch iterator-age: none of the mappings that would be updated has this to be watched by")


async def test_a_look_costs_less_the_more_there_were() -> None:
    """A run that looks for hours and finds nothing does not halt of that alone."""
    world = World("errors")
    world.change(*range(5))
    for _ in range(120):
        world.pass_minutes(1)
        assert not isinstance(await world.ask("bake", 2), str)


def test_who_is_on_which_side() -> None:
    watch = Watch.parse("errors")
    lines = [
        (item(0), 1),
        (item(0), 2),
        (item(1, action=Action.UNCHANGED), None),
        (item(1), 2),
        (item(2, FunctionName="f9"), 1),
        (item(3, action=Action.BLOCKED), None),
    ]
    exposure = Watched([watch], lines).of(watch)
    assert (exposure.shared, exposure.in_several_waves, exposure.moved, len(exposure.standings)) == (1, 1, 1, 2)
    assert [key.rpartition(":")[2] for key in exposure.sides(1).control] == ["f1"]
    assert exposure.sides(1).left_out == {"being changed": 1}


@pytest.mark.parametrize(
    ("qualifier", "dimensions"),
    [
        ("", (("FunctionName", "f1"),)),
        (":live", (("FunctionName", "f1"), ("Resource", "f1:live"))),
        (":7", (("FunctionName", "f1"), ("Resource", "f1:7"))),
    ],
)
def test_an_alias_has_metrics_of_its_own(qualifier: str, dimensions: tuple[tuple[str, str], ...]) -> None:
    watch = Watch.parse("errors")
    exposure = Watched([watch], [(item(1, qualifier=qualifier), 1)]).of(watch)
    (key,) = exposure.standings
    queries = exposure.measure.queries(key, (ACCOUNT, "us-east-1"))
    assert {query.dimensions for query in queries} == {dimensions}
    assert [query.metric for query in queries] == ["Errors", "Invocations"]


@pytest.mark.parametrize(
    ("before", "after", "counts"), [([], None, 0), (["EventCount"], None, 1), ([], ["EventCount"], 1)]
)
def test_metrics_of_mappings_only_where_they_are_published(
    before: list[str], after: list[str] | None, counts: int
) -> None:
    request: dict[str, Any] = {} if after is None else {"MetricsConfig": {"Metrics": after}}
    raw = msgspec.Raw(msgspec.json.encode({"UUID": "uuid-1", "MetricsConfig": {"Metrics": before}}))
    watch = Watch.parse("dropped-events")
    exposure = Watched([watch], [(msgspec.structs.replace(item(1, **request), before_json=raw), 1)]).of(watch)
    assert (len(exposure.standings), exposure.without) == (counts, 1 - counts)
