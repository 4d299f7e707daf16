"""Runs to report on, written as a run writes them: in one place or three, with waves, a gate that halts, odd names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bulk_esm.clock import iso
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import EventSourceMapping
from bulk_esm.model.plan import Action, Plan, PlanItem, plan_item
from bulk_esm.model.records import FleetRecord, Invocation, RunRecord, RunStatus, ShardEntry
from bulk_esm.model.result import ErrorRecord, Outcome, Result
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import Problem, Shard
from bulk_esm.simulator import make_fleet
from bulk_esm.store.run_files import RunFiles

RUN_ID = "20260102T030405Z-apply-abc123"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "\x1b[31mred\x1b[0m",
    "evil\u202ecod.exe",
    "`tick` | pipe",
    "&lt;b&gt;",
    "\u2028line",
)
GATE = "./healthy.sh"
REASON = f"after wave 2, gate {GATE!r} exited with 1"
RATE = 10.0
REFUSED = ErrorRecord(
    code="InvalidParameterValueException", message="Queue visibility timeout: 30 s is less", request_id="r-1"
)
_ACCOUNTS = ("123456789012", "222222222222", "333333333333")


def at(seconds: float) -> str:
    """A moment so long after the beginning."""
    return iso(START + timedelta(seconds=seconds)) or ""


class World:
    """A run's files.

    Attributes:
        files: the files.
        plans: the plans, by shard.
        results: the results, by shard.
    """

    def __init__(self, folder: Path, *, mappings: int = 60, is_fleet: bool = True, hostile: bool = False) -> None:
        self.record = _record(is_fleet=is_fleet)
        accounts = _ACCOUNTS if is_fleet else _ACCOUNTS[:1]
        shards = [Shard(account_id=account, region="eu-west-1") for account in accounts]
        each = mappings // len(shards)
        self.plans = {shard.name: Plan(tuple(_items(shard, each, hostile=hostile))) for shard in shards}
        self.results = {shard.name: list(_results(self.plans[shard.name])) for shard in shards}
        self.files = self._written(folder, shards, is_fleet=is_fleet)

    @property
    def counts(self) -> Counter[str]:
        return Counter(str(result.outcome) for results in self.results.values() for result in results)

    def _written(self, folder: Path, shards: list[Shard], *, is_fleet: bool) -> RunFiles:
        files = RunFiles.begin(folder, RUN_ID)
        entries = []
        for shard in shards:
            plan = self.plans[shard.name]
            digest = files.add(shard.name, self.record, plan) if is_fleet else files.add_home(plan)
            entries.append(
                ShardEntry(shard=shard, items=len(plan.items), updates=plan.count(Action.UPDATE), plan=digest)
            )
        if is_fleet:
            lost = Shard(account_id="444444444444", region="eu-west-1")
            entries.append(ShardEntry(shard=lost, problem=Problem(reason="the role cannot be assumed")))
        fleet = FleetRecord(shards=tuple(entries), groups=(tuple(one.shard.name for one in entries),))
        record = self.record if is_fleet else _with(self.record, plan=entries[0].plan)
        files.publish(record, fleet if is_fleet else None)
        for shard in shards:
            with files.shard(shard).open_results() as results:
                for result in self.results[shard.name]:
                    results.append(result)
        (files.path / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LOG), encoding="utf-8")
        return files


def _with(record: RunRecord, **values: Any) -> RunRecord:
    return RunRecord(**{name: getattr(record, name) for name in record.__struct_fields__} | values)


def _record(*, is_fleet: bool) -> RunRecord:
    argv = ("apply", "--all", "--set", "BatchSize=7")
    who: dict[str, Any] = {"user": "alice", "host": "build-7", "principal_arn": "arn:aws:iam::123456789012:role/ops"}
    ended: dict[str, Any] = {"started_at": at(0), "ended_at": at(100), "status": RunStatus.HALTED}
    return RunRecord(
        run_id=RUN_ID,
        command="apply",
        argv=argv,
        version="0.1.0",
        account_id=None if is_fleet else _ACCOUNTS[0],
        region="eu-west-1",
        reason=REASON,
        requests={"list": 9, "get": 12, "update": 44, "throttled": 2},
        rollout=RolloutSettings(waves=("1", "50%", "100%"), soak_s=10.0, gates=(GATE,), max_per_second=RATE),
        invocations=(Invocation(command="apply", argv=argv, version="0.1.0", **who, **ended),),
        **who,
        **ended,
    )


def _items(shard: Shard, count: int, *, hostile: bool) -> Iterator[PlanItem]:
    change = Change({"BatchSize": 7})
    mappings = make_fleet(count, seed=3, account_id=shard.account_id or "", region=shard.region).mappings
    for number, mapping in enumerate(mappings):
        configuration = dict(mapping)
        if hostile and number < len(HOSTILE):
            before = configuration["FunctionArn"].rpartition(":function:")[0]
            configuration["FunctionArn"] = f"{before}:function:{HOSTILE[number]}"
        yield plan_item(change, EventSourceMapping(configuration))


def _results(plan: Plan) -> Iterator[Result]:
    """Wave 1 has one update, wave 2 half of all, wave 3 never begins; one in eleven is refused."""
    updates = 0
    for number, item in enumerate(plan.items):
        updates += item.action is Action.UPDATE
        wave = 1 if updates <= 1 else 2 if number < len(plan.items) // 2 else 3
        yield _result(plan, item, number, wave)


def _result(plan: Plan, item: PlanItem, number: int, wave: int) -> Result:
    accepted = {1: 1.0, 2: 20.0 + number / RATE}.get(wave)
    outcome, error = Outcome.UPDATED, None
    if item.action is not Action.UPDATE:
        outcome = Outcome.UNCHANGED if item.action is Action.UNCHANGED else Outcome.BLOCKED
        error = ErrorRecord(code="Blocked", message=item.problems[0]) if item.problems else None
        accepted = None
    elif accepted is None:
        outcome = Outcome.NOT_STARTED
    elif not number % 11:
        outcome, error, accepted = Outcome.FAILED, REFUSED, None
    settled = None if accepted is None else accepted + 1 + number % 7
    return Result(
        run_id=RUN_ID,
        uuid=item.uuid,
        function_arn=item.function_arn,
        event_source_arn=item.event_source_arn,
        source_type=item.source_type,
        account_id=plan.account_id,
        region="eu-west-1",
        wave=wave,
        outcome=outcome,
        state="Enabled",
        request=item.request if accepted is not None else {},
        error=error,
        update_calls=1 if outcome in {Outcome.UPDATED, Outcome.FAILED} else 0,
        accepted_at=None if accepted is None else at(accepted),
        settled_at=None if settled is None else at(settled),
        ended_at=at(settled or 30),
        duration_s=None if settled is None or accepted is None else settled - accepted,
    )


def _line(moment: float, event: str, /, **told: Any) -> dict[str, Any]:
    return {**told, "event": event, "level": "info", "logger": "bulk_esm.run", "at": at(moment)}


LOG = (
    _line(0.5, "run_began", run_id=RUN_ID, command="apply", continued_at=None, user="alice", host="build-7"),
    _line(0.8, "gate_answered", wave=0, stage="before", gate="CommandGate", step="go", reason=None),
    _line(0.9, "wave_began", wave=1, waves=3, updates=1),
    _line(4.0, "wave_ended", wave=1, outcomes={}),
    _line(4.0, "soak_began", wave=1, seconds=10.0),
    _line(14.0, "soak_ended", wave=1),
    _line(15.0, "asked", action="hold", invocation=1, by={"user": "bob", "host": "desk"}, rollback=False, wave=None),
    _line(15.5, "moon_began"),
    _line(18.0, "moon_ended"),
    _line(19.0, "asked", action="go", invocation=1, by={"user": "bob", "host": "desk"}, rollback=False, wave=None),
    _line(20.0, "wave_began", wave=2, waves=3, updates=20),
    _line(22.0, "throttled", per_second=8.1),
    _line(40.0, "wave_ended", wave=2, outcomes={}),
    _line(40.0, "soak_began", wave=2, seconds=10.0),
    _line(41.0, "gate_ended", command=GATE, exit_code=1, last_lines=["errors per minute: 312", "<b>\x1b"]),
    _line(41.0, "gate_answered", wave=2, stage="between", gate="CommandGate", step="halt", reason="exited with 1"),
    _line(41.0, "stopped", status="halted", reason=REASON),
    _line(42.0, "an_event_of_the_future", verdict="wait", moon="full"),
    _line(100.0, "run_ended", status="halted", reason=REASON, counts={"updated": 20, "failed": 2}),
)
