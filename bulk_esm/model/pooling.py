"""What the metrics of many come to: one number for each minute, or for all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bulk_esm.model.comparing import Points, level_of, share_of
from bulk_esm.model.measures import Measure, MetricQuery

Told = Mapping[MetricQuery, Points]
"""What CloudWatch told of each query."""
Asked = Mapping[str, Sequence[MetricQuery]]
"""The queries of each function, queue, mapping or account."""


def has_points(measure: Measure, queries: Sequence[MetricQuery], *windows: Told) -> bool:
    """Whether one of them has something to have a share of, or a value, in each of some windows.

    Args:
        measure: what is measured.
        queries: its own.
        windows: what was told of each.
    """
    telling = [query for query in queries if query.metric in (measure.below or measure.above)]
    return all(
        any(any(told[query].values()) if measure.below else told[query] for query in telling) for told in windows
    )


def pooled(measure: Measure, asked: Asked, told: Told, minutes: range) -> Points:
    """One number of all for each minute: a share of their sums, or the median of their times.

    Args:
        measure: what is measured.
        asked: the queries of each.
        told: what was told.
        minutes: which.
    """
    if not measure.below:
        found = level_of((told[queries[0]] for queries in asked.values()), minutes)
        return {minute: value * measure.scale for minute, value in found.items()}
    above, below = (
        [told[query] for queries in asked.values() for query in queries if query.metric in names]
        for names in (measure.above, measure.below)
    )
    return share_of(above, below, minutes)


def overall(measure: Measure, asked: Asked, told: Told, scales: Mapping[str, float]) -> float | None:
    """One number of all for a few minutes: a share of their sums, or the highest of their medians; None without points.

    Args:
        measure: what is measured.
        asked: the queries of each.
        told: what was told of these minutes.
        scales: what each one's value is multiplied by.
    """
    if measure.below:
        above, below = (
            sum(sum(told[query].values()) for queries in asked.values() for query in queries if query.metric in names)
            for names in (measure.above, measure.below)
        )
        return above / below if below else None
    found = {key: list(told[queries[0]].values()) for key, queries in asked.items()}
    return max((median(values) * scales[key] for key, values in found.items() if values), default=None)
