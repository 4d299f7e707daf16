"""What functions do, as CloudWatch tells of it by the minute: GetMetricData of AWS/Lambda and AWS/SQS.

Drawn by the seed, so that a minute is the same whenever it is asked for. A function does otherwise from the first
update on that was accepted for one of its mappings. It goes on whatever the states of its mappings are: that a pause
ends its traffic is not simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from statistics import NormalDist
from typing import Any, Final

from bulk_esm.model.checked import Checked, Count, Seconds, Share
from bulk_esm.simulator.draws import draw
from bulk_esm.simulator.mapping import Mapping as SimulatedMapping

MINUTE_S: Final = 60
_STREAMS: Final = frozenset({"kinesis", "dynamodb", "documentdb"})
_MOST_SHOWN: Final = 0.5  # of a minute that is not whole yet
_EVENTS: Final = "EventCount"
_FAILURES: Final = ("Errors", "FailedInvokeEventCount", "DroppedEventCount")
_P95: Final = 1.6  # times the mean
_ALL: Final = "account"


class Traffic(Checked, frozen=True, kw_only=True):
    """What functions do in each minute, and what they do once they are changed.

    Attributes:
        per_minute: invocations of each function, and events of each mapping that publishes them.
        error_share: share of them that fail.
        changed_error_share: the same, once one of the function's mappings was changed; as before if None.
        throttle_share: throttled ones, for each invocation.
        duration_s: how long they take, in seconds.
        changed_duration_s: the same, once changed; as before if None.
        age_s: the age of what streams and queues hold, in seconds.
        concurrency: invocations at once in the account.
        noise: how far durations, ages and concurrency are from that, as a share.
        functions: globs of the names of those that have any traffic; all if there are none.
        delay_s: how late a minute's points are whole, in seconds. Until then a part of them is there, as CloudWatch has
            it, and a client that does not wait is misled.
    """

    per_minute: Count = 100
    error_share: Share = 0.01
    changed_error_share: Share | None = None
    throttle_share: Share = 0.0
    duration_s: Seconds = 0.2
    changed_duration_s: Seconds | None = None
    age_s: Seconds = 1.0
    concurrency: Count = 10
    noise: Share = 0.1
    functions: tuple[str, ...] = ()
    # Guess: two minutes; no document says how late CloudWatch is, and to ask for a known minute again would tell.
    delay_s: Seconds = 120.0

    def errors(self, *, is_changed: bool) -> float:
        """The share that fails.

        Args:
            is_changed: whether the function was changed.
        """
        changed = self.changed_error_share
        return changed if is_changed and changed is not None else self.error_share

    def duration(self, *, is_changed: bool) -> float:
        """How long an invocation takes, in seconds.

        Args:
            is_changed: whether the function was changed.
        """
        changed = self.changed_duration_s
        return changed if is_changed and changed is not None else self.duration_s


class Series:
    """The metrics of one account and Region, at a moment."""

    def __init__(self, traffic: Traffic, mappings: Iterator[SimulatedMapping], *, seed: object, epoch: float) -> None:
        """Look at the mappings.

        Args:
            traffic: what functions do.
            mappings: all of them.
            seed: of all that is drawn.
            epoch: virtual second 0 in seconds since the epoch.
        """
        self._traffic = traffic
        self._seed = seed
        self._changed: dict[str, float] = {}
        self._there: set[str] = set()
        for mapping in mappings:
            self._look_at(mapping, epoch)

    def _look_at(self, mapping: SimulatedMapping, epoch: float) -> None:
        configuration = mapping.timeline.at(math.inf)
        if configuration is None:
            return
        keys = [f"mapping:{mapping.uuid}"] if _publishes(configuration) else []
        function = ":".join(str(configuration["FunctionArn"]).split(":")[6:])
        name = function.partition(":")[0]
        if not self._traffic.functions or any(fnmatchcase(name, glob) for glob in self._traffic.functions):
            keys += [f"function:{name}", f"function:{function}"]
            keys += [f"stream:{key.partition(':')[2]}" for key in keys[-2:] if mapping.source_type in _STREAMS]
        keys += [f"queue:{str(configuration.get('EventSourceArn')).rpartition(':')[2]}"]
        self._there.update(keys)
        if mapping.accepted:
            at = epoch + mapping.accepted[0].accepted_at
            for key in keys:
                self._changed[key] = min(at, self._changed.get(key, math.inf))

    def value(self, metric: Mapping[str, Any], stat: str, minute: int) -> float | None:
        """What a metric is in a minute; None where there is no point, as of what is unknown or 0.

        Args:
            metric: its namespace, name and dimensions, as a query has them.
            stat: the statistic.
            minute: from the epoch.
        """
        key = _key_of(metric)
        if key != _ALL and key not in self._there:
            return None
        is_changed = minute * MINUTE_S >= self._changed.get(key, math.inf)
        name = str(metric.get("MetricName"))
        if stat == "Sum":
            return self._count(name, key, minute, is_changed=is_changed) or None
        return self._level(name, stat, key, minute, is_changed=is_changed)

    def _count(self, name: str, key: str, minute: int, *, is_changed: bool) -> float:
        traffic = self._traffic
        if name in ("Invocations", "PolledEventCount"):
            return float(traffic.per_minute)
        errors = traffic.errors(is_changed=is_changed)
        shares = {"Throttles": traffic.throttle_share, **dict.fromkeys(_FAILURES, errors)}
        return _of(traffic.per_minute, shares.get(name, 0.0), self._seed, name, key, minute)

    def _level(self, name: str, stat: str, key: str, minute: int, *, is_changed: bool) -> float | None:
        traffic = self._traffic
        is_stream = f"stream:{key.partition(':')[2]}" in self._there
        times = _P95 if stat.startswith("p") else 1.0
        levels = {
            "Duration": 1000 * times * traffic.duration(is_changed=is_changed),
            "IteratorAge": 1000 * traffic.age_s if is_stream else None,
            "ApproximateAgeOfOldestMessage": traffic.age_s,
            "ConcurrentExecutions": float(traffic.concurrency),
        }
        level = levels.get(name)
        return None if level is None else level * self._noise(self._seed, name, key, minute)

    def shown(self, value: float, minute: int, at: float) -> float | None:
        """What of a value is there at a moment: all of it, a part while it is not whole, or nothing.

        Args:
            value: the minute's.
            minute: from the epoch.
            at: the moment, in seconds since the epoch.
        """
        if at < minute * MINUTE_S:
            return None
        is_whole = at >= (minute + 1) * MINUTE_S + self._traffic.delay_s
        return value if is_whole else math.floor(value * _MOST_SHOWN) or None

    def _noise(self, *key: object) -> float:
        return max(0.0, 1 + self._traffic.noise * NormalDist().inv_cdf(max(1e-9, draw(*key))))


def _of(many: int, share: float, *key: object) -> float:
    """How many of many: a binomial draw."""
    left, found, chance = draw(*key), 0, (1 - share) ** many
    if share in (0.0, 1.0):
        return many * share
    while left > chance and found < many:
        left -= chance
        chance *= (many - found) / (found + 1) * share / (1 - share)
        found += 1
    return float(found)


def _key_of(metric: Mapping[str, Any]) -> str:
    """Of what a metric is, by its dimensions."""
    named = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or ()}
    match metric.get("Namespace"), named:
        case "AWS/Lambda", {"FunctionName": _, "Resource": resource}:
            return f"function:{resource}"
        case "AWS/Lambda", {"FunctionName": name}:
            return f"function:{name}"
        case "AWS/Lambda", {"EventSourceMappingUUID": uuid}:
            return f"mapping:{uuid}"
        case "AWS/Lambda", _ if not named:
            return _ALL
        case "AWS/SQS", {"QueueName": name}:
            return f"queue:{name}"
    return ""


def _publishes(configuration: Mapping[str, Any]) -> bool:
    return _EVENTS in ((configuration.get("MetricsConfig") or {}).get("Metrics") or ())
