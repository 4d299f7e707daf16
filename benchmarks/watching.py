"""How often `--watch` halts where something is wrong, and where nothing is: both rates, over many seeds.

    ./.venv/bin/python benchmarks/watching.py [SEEDS]

The gate is the one of a run (`bulk_esm/gates/metrics.py`), asked as a run asks it, by a clock of the trial's own; what
it reads is generated. Each function has 100 invocations in a minute and errs in 1 % of them, give or take what its own
share is; once it is changed in 4 %, where there is harm.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
import msgspec
import numpy as np

from bulk_esm.clock import Clock
from bulk_esm.gates.gate import Stage, WaveEnd
from bulk_esm.gates.metrics import MOST_MINUTES, MetricGate, WatchSettings
from bulk_esm.model.amounts import Amount
from bulk_esm.model.gating import Inconclusive
from bulk_esm.model.mapping import SourceType
from bulk_esm.model.measures import DELAY_S, MetricQuery, Place
from bulk_esm.model.plan import Action, PlanItem
from bulk_esm.model.result import Outcome, Result
from bulk_esm.model.watching import Watch
from bulk_esm.model.waves import waves_of
from bulk_esm.runs.watched import Watched

_BEGAN_AT: Final = datetime(2026, 11, 26, 9, 0, 20, tzinfo=UTC)
_ACCOUNT: Final = "123456789012"
_MINUTE_S: Final = 60.0
_FIRST: Final = int(_BEGAN_AT.timestamp() // _MINUTE_S) - MOST_MINUTES
_WATCHES: Final = ("errors", "throttles", "duration-p95")


Floats = list[float]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet, how it is changed, and what that does to it.

    Attributes:
        functions: how many, each with one mapping.
        waves: cumulative sizes.
        soak_minutes: between waves.
        bake_minutes: after the last.
        per_minute: invocations of each function.
        share: of them that fail.
        changed_share: of them that fail, once it is changed.
        harmed_from: the first wave whose functions are harmed.
        spread: how far functions' own shares are from that, as a standard deviation of their logarithm.
        trend: by how much of itself each share has risen an hour after the run began, of all functions alike.
    """

    functions: int = 100
    waves: tuple[str, ...] = ("1", "5%", "25%", "100%")
    soak_minutes: int = 15
    bake_minutes: int = 15
    per_minute: int = 100
    share: float = 0.01
    changed_share: float = 0.01
    harmed_from: int = 1
    spread: float = 0.0
    trend: float = 0.0


class Generated:
    """Metrics of a trial, the same for each seed; none of a minute that CloudWatch would not show yet."""

    def __init__(self, trial: Trial, seed: int) -> None:
        """Begin with no function changed."""
        self.now = _BEGAN_AT
        self.changed: dict[str, int] = {}
        self._trial = trial
        self._dice = np.random.default_rng(seed)
        self._made: dict[tuple[str, str], tuple[Floats, Floats]] = {}
        own = self._dice.lognormal(0.0, trial.spread, trial.functions) if trial.spread else np.ones(trial.functions)
        self._own = {f"f{number}": float(factor) for number, factor in enumerate(own)}

    def elapsed_s(self) -> float:
        """How long it has run, in seconds."""
        return (self.now - _BEGAN_AT).total_seconds()

    async def read(
        self, queries: Sequence[MetricQuery], *, since: int, until: int
    ) -> Mapping[MetricQuery, Mapping[int, float]]:
        """Values by minute; see `MetricSource`."""
        known = int((self.now.timestamp() - DELAY_S) // _MINUTE_S)
        return {query: self._values(query, since, min(until, known)) for query in queries}

    def _values(self, query: MetricQuery, since: int, until: int) -> Mapping[int, float]:
        name = dict(query.dimensions)["FunctionName"]
        if (name, query.metric) not in self._made:
            self._made[name, query.metric] = self._draw(name, query.metric)
        before, after = self._made[name, query.metric]
        changed_at = min(until, max(since, self.changed.get(name, until)))
        values = (*before[since - _FIRST : changed_at - _FIRST], *after[changed_at - _FIRST : until - _FIRST])
        return dict(zip(range(since, until), values, strict=True))

    def _draw(self, name: str, metric: str) -> tuple[Floats, Floats]:
        """All of a metric, as it would be unchanged and changed."""
        trial, dice, many = self._trial, self._dice, trial_minutes(self._trial)
        hours = np.maximum(0.0, np.arange(many) - MOST_MINUTES) / 60
        grown = self._own[name] * (1 + trial.trend * hours)
        if metric == "Errors":
            shares = (trial.share, trial.changed_share)
            before, after = (dice.binomial(trial.per_minute, np.minimum(1.0, share * grown)) for share in shares)
            return before.astype(float).tolist(), after.astype(float).tolist()
        if metric == "Invocations":
            found = np.full(many, float(trial.per_minute))
        elif metric == "Duration":
            found = 200 * grown * dice.lognormal(0.0, 0.1, many)
        else:
            found = dice.binomial(trial.per_minute, np.minimum(1.0, 0.005 * grown)).astype(float)
        return (found.tolist(),) * 2

    async def expression(self, queries: Sequence[Mapping[str, Any]], *, since: int, until: int) -> Sequence[float]:
        """None is watched."""
        raise NotImplementedError

    async def limit(self, place: Place) -> float:
        """None is watched."""
        raise NotImplementedError


def trial_minutes(trial: Trial) -> int:
    """How many minutes a trial may need, with those before it."""
    longest = max(trial.soak_minutes, trial.bake_minutes, 15)
    return MOST_MINUTES + (len(trial.waves) + 1) * (longest + 5)


class Halt(msgspec.Struct, frozen=True):
    """When a run halted.

    Attributes:
        wave: after which wave; after the last that is in the bake.
        reason: in the gate's words.
    """

    wave: int
    reason: str


async def rollout(trial: Trial, seed: int) -> Halt | None:
    """Roll out once; None if it was not halted.

    Args:
        trial: what.
        seed: of all that is drawn.
    """
    source = Generated(trial, seed)
    items = [_item(number) for number in range(trial.functions)]
    waves = waves_of(items, [Amount(size) for size in trial.waves])
    watches = [Watch.parse(name) for name in _WATCHES]
    watched = Watched(watches, ((item, number) for number, wave in enumerate(waves, start=1) for item in wave))
    gate = MetricGate(
        watches,
        source,
        watched.of,
        WatchSettings(began_at=_BEGAN_AT),
        tell=print,
        clock=Clock(monotonic=source.elapsed_s, now=lambda: source.now),
    )
    for number, wave in enumerate(waves, start=1):
        source.now += timedelta(seconds=20)
        for item in wave:
            ended_at = source.now.isoformat()
            for exposure in watched.exposures.values():
                exposure.end(_result(item, number, ended_at))
            if number >= trial.harmed_from:
                source.changed[_name(item)] = int(source.now.timestamp() // _MINUTE_S) + 1
        is_last = number == len(waves)
        minutes = trial.bake_minutes if is_last else trial.soak_minutes
        stage: Stage = "bake" if is_last else "between"
        end = WaveEnd(wave=number, waves=len(waves), next_updates=0, outcomes={}, stage=stage)
        looked = 0
        while True:  # a soak lasts until all gates are well
            answer = await gate.check(end)
            if isinstance(answer, str):
                return Halt(number, answer)
            if looked >= minutes and not isinstance(answer, Inconclusive):
                break
            source.now += timedelta(minutes=1)
            looked += 1
    return None


def _name(item: PlanItem) -> str:
    return (item.function_arn or "").rpartition(":")[2]


def _item(number: int) -> PlanItem:
    arn = f"arn:aws:lambda:us-east-1:{_ACCOUNT}:function:f{number}"
    return PlanItem(
        uuid=f"00000000-0000-4000-8000-{number:012}",
        function_arn=arn,
        event_source_arn=f"arn:aws:sqs:us-east-1:{_ACCOUNT}:q{number}",
        source_type=SourceType.SQS,
        state="Enabled",
        action=Action.UPDATE,
        request={"BatchSize": 5},
    )


def _result(item: PlanItem, wave: int, ended_at: str) -> Result:
    return Result(
        run_id="a-run",
        uuid=item.uuid,
        function_arn=item.function_arn,
        event_source_arn=item.event_source_arn,
        source_type=item.source_type,
        account_id=_ACCOUNT,
        region="us-east-1",
        wave=wave,
        outcome=Outcome.UPDATED,
        state="Enabled",
        request=item.request,
        ended_at=ended_at,
    )


TRIALS: Final[Mapping[str, Trial]] = {
    "harm": Trial(changed_share=0.04),
    "harm, from the second wave on": Trial(changed_share=0.04, harmed_from=2),
    "harm, in the last wave alone": Trial(changed_share=0.04, harmed_from=4),
    "harm, functions that differ, a rise of a half in an hour": Trial(changed_share=0.04, spread=0.5, trend=0.5),
    "none": Trial(),
    "none, functions that differ": Trial(spread=0.5),
    "none, functions that differ, a rise of a fifth in an hour": Trial(spread=0.5, trend=0.2),
    "none, functions that differ, a rise of a half in an hour": Trial(spread=0.5, trend=0.5),
}


def main() -> None:
    """Print, for each trial, in how many seeds it halted, and in which wave."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for name, trial in TRIALS.items():
        halts = [anyio.run(rollout, trial, seed) for seed in range(seeds)]
        waves = [halt.wave for halt in halts if halt is not None]
        where = ", ".join(f"{waves.count(wave)} in {wave}" for wave in sorted(set(waves)))
        print(f"{name}: halted {len(waves)} of {seeds} ({len(waves) / seeds:.1%}); by wave: {where or '-'}", flush=True)
        example = next((halt.reason for halt in halts if halt is not None), None)
        if example:
            print(f"  such as: {example}", flush=True)


if __name__ == "__main__":
    main()
