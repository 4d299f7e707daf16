"""Settings of wrong types or without sense are refused where they are made, before anything is asked of AWS."""

import math
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from api_world import EVERYTHING, PAUSE, connected
from engine_world import in_virtual_time

import bulk_esm
import bulk_esm.simulator
from bulk_esm import (
    FleetSettings,
    Intent,
    PlanContext,
    RolloutSettings,
    Selection,
    SourceType,
    UsageError,
    connect,
)
from bulk_esm.executors.tasks import Reach
from bulk_esm.model.checked import Checked
from bulk_esm.model.mapping import SourceTypeName
from bulk_esm.shards.spec import ShardSpec
from bulk_esm.simulator import Faults

untyped: Any = bulk_esm  # mypy would refuse most of this
untyped_simulator: Any = bulk_esm.simulator
A_CHANGE = {"BatchSize": 5}
SETTINGS: tuple[type[Checked], ...] = (
    Selection,
    RolloutSettings,
    FleetSettings,
    Intent,
    PlanContext,
    Reach,
    ShardSpec,
    Faults,
)
COLLECTIONS = [
    (settings, name)
    for settings in SETTINGS
    for name in settings.__struct_fields__
    if isinstance(getattr(settings(), name), (tuple, frozenset))
]
NUMBERS = [
    (settings, name)
    for settings in SETTINGS
    for name in settings.__struct_fields__
    if type(getattr(settings(), name)) in {int, float}
]


async def read_alarms(_names: tuple[str, ...]) -> list[Any]:
    return []


def test_a_string_selects_nothing_letter_by_letter() -> None:
    with pytest.raises(UsageError) as caught:
        Selection(functions="catalog-*")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "functions='catalog-*': a string, where several may be meant; write functions=('catalog-*',)"
    )


@pytest.mark.parametrize(("settings", "name"), COLLECTIONS)
def test_a_string_is_never_a_collection(settings: type[Checked], name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}='Enabled': a string, where several may be meant"):
        settings(**{name: "Enabled"})


@pytest.mark.parametrize(("settings", "name"), NUMBERS)
@pytest.mark.parametrize("value", [-1, -0.5, math.nan, -math.inf, True, "12", None, [1]])
def test_a_number_is_one_and_no_bool(settings: type[Checked], name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name}="):
        settings(**{name: value})


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_flag_is_a_bool(settings: type[Checked]) -> None:
    for name in settings.__struct_fields__:
        if isinstance(getattr(settings(), name), bool):
            with pytest.raises(UsageError, match=f"^{name}='no': expected bool, got str"):
                settings(**{name: "no"})


WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: untyped.Selection(source_types=("SQS",)), "source_types=.*there is no 'SQS'; did you mean sqs"),
    (lambda: untyped.Selection(source_types=("queue",)), "there are sqs, sqs-fifo, kinesis"),
    (lambda: untyped.Selection(functions=(1,)), "functions="),
    (lambda: untyped.Selection(states=("enabled",)), "did you mean Enabled"),
    (lambda: untyped.Selection(where=("BatchSize >",)), "JMESPath"),
    (lambda: untyped.Selection(uuids=7), "uuids=7: expected a tuple, got int"),
    (lambda: untyped.Change({}), "empty change"),
    (lambda: untyped.Change("BatchSize=5"), "values='BatchSize=5': expected a dict, got str"),
    (lambda: untyped.Change({"BatchSise": 5}), "did you mean BatchSize"),
    (lambda: untyped.Change({"BatchSize": True}), "BatchSize"),
    (lambda: untyped.Change({"BatchSize": math.nan}), "BatchSize"),
    (lambda: untyped.Change({"Topics": {"a"}}), "Topics"),
    (lambda: untyped.Change({1: 2}), "values="),
    (lambda: untyped.Change(A_CHANGE, "FilterCriteria"), "write unset=\\('FilterCriteria',\\)"),
    (lambda: untyped.Change.parse("BatchSize=5"), "write settings=\\('BatchSize=5',\\)"),
    (lambda: untyped.Change.parse(unset="FilterCriteria"), "write unset=\\('FilterCriteria',\\)"),
    (lambda: untyped.RolloutSettings(waves="1,5%"), "write waves=\\('1', '5%'\\)"),
    (lambda: untyped.RolloutSettings(waves=("1", "5%")), "end it with 100%"),
    (lambda: untyped.RolloutSettings(waves=("1,5%", "100%")), "'1,5%' is no amount"),
    (lambda: untyped.RolloutSettings(soak_s=math.inf), "soak_s=inf"),
    (lambda: untyped.RolloutSettings(most_failures=-1), "most_failures=-1"),
    (lambda: untyped.RolloutSettings(most_failures=1.5), "most_failures=1.5: expected int or None, got float"),
    (lambda: untyped.RolloutSettings(on_halt="undo"), "there is no 'undo'; there are stop, rollback"),
    (lambda: untyped.RolloutSettings(gates=(" ",)), "--gate is empty"),
    (lambda: untyped.FleetSettings(accounts=(111111111111,)), "accounts="),
    (lambda: untyped.FleetSettings(regions=("us-esat-1",)), "did you mean us-east-1"),
    (lambda: untyped.FleetSettings(file="fleet.toml"), "file='fleet.toml'"),
    (lambda: untyped.Intent(rollout="1,100%"), "rollout="),
    (lambda: untyped.PlanContext(told="print"), "told='print'"),
    (lambda: untyped.AlarmGate("lag", read_alarms, print), "write names=\\('lag',\\)"),
    (lambda: untyped.CommandGate(["true"], run_id="r", folder=Path()), "command="),
    (lambda: untyped_simulator.Faults(error_share=1.5), "error_share=1.5"),
    (lambda: untyped_simulator.Faults(denied_accounts="210987654321"), "write denied_accounts=\\('210987654321',\\)"),
    (lambda: untyped_simulator.Simulator(mappings=-1), "mappings=-1"),
    (lambda: untyped_simulator.Simulator(speed=0), "speed=0"),
    (lambda: untyped_simulator.Simulator(quota_per_second=-1), "quota_per_second=-1"),
]


@pytest.mark.parametrize(("made", "says"), WRONG, ids=[says for _, says in WRONG])
def test_it_is_refused_where_it_is_made(made: Callable[[], Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        made()


@pytest.mark.parametrize(
    "settings",
    [
        {"max_per_second": math.nan},
        {"max_per_second": 0},
        {"concurrency": True},
        {"concurrency": 0},
        {"timeout_s": -1.0},
        {"shards_at_once": 0},
        {"executor": "procss"},
        {"fleet": "fleet.toml"},
        {"region": 7},
        {"profile": ("a",)},
    ],
)
async def test_connect_refuses_wrong_types_before_it_looks_for_credentials(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(settings))}="):
        async with connect(**{"region": "us-east-1", **settings}):
            pass


@in_virtual_time
async def test_what_takes_settings_takes_nothing_else(tmp_path: Path) -> None:
    async with connected(runs_dir=tmp_path, mappings=3) as (simulator, bulk):
        wrong: Any = "catalog-*"
        with pytest.raises(UsageError, match="selection='catalog-\\*'"):
            await bulk.list(wrong)
        with pytest.raises(UsageError, match="selection="):
            await bulk.plan(wrong, PAUSE)
        with pytest.raises(UsageError, match="change="):
            await bulk.plan(EVERYTHING, wrong)
        with pytest.raises(UsageError, match="change="):
            await bulk.plan(EVERYTHING, {"Enabled": False})  # type: ignore[dict-item]
        with pytest.raises(UsageError, match="write names="):
            await bulk.alarms(wrong)
        assert simulator.report().count() == 0
        plan = await bulk.plan(EVERYTHING, PAUSE)
        with pytest.raises(UsageError, match="most_failed_shards=-1"):
            bulk.prepare(plan, most_failed_shards=-1)
        with pytest.raises(UsageError, match=r"deadline=.*zone"):
            bulk.prepare(plan, deadline=datetime(2030, 1, 1))  # noqa: DTZ001 - that is what is refused
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - there is nothing to block


def test_what_is_meant_alike_is_taken() -> None:
    assert Selection(functions=["a", "b"]).functions == ("a", "b")  # type: ignore[arg-type]
    assert Selection(uuids=("a",)).uuids == frozenset({"a"})  # type: ignore[arg-type]
    assert Selection(source_types=("kinesis",)).source_types == (SourceType.KINESIS,)
    assert RolloutSettings(soak_s=60).soak_s == 60.0
    assert set(get_args(SourceTypeName)) == {str(one) for one in SourceType} - {SourceType.UNKNOWN}
