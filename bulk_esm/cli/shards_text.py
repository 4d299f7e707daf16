"""Shards in words, for whoever reads stderr: pure text from records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from bulk_esm.bulk import BulkEsm
from bulk_esm.model.records import RunRecord, ShardEntry
from bulk_esm.model.shard import Problem, Shard

_MOST_GROUPS: Final = 8
_MOST_NAMED: Final = 5
_REQUEST_ID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)


def shards_text(count: int) -> str:
    """So many shards, in words."""
    return f"{count:,} shard{'' if count == 1 else 's'}"


def places_text(bulk: BulkEsm) -> str:
    """Where something was done: the home Region, or how many shards."""
    return shards_text(len(_all(bulk))) if bulk.fleet.is_named else bulk.region


def problems_of(bulk: BulkEsm, problems: Mapping[str, Problem]) -> list[Problem | None]:
    """Why each shard could not be worked in, or None."""
    return [problems.get(shard.name) for shard in _all(bulk)]


def failed_lines(bulk: BulkEsm, problems: Mapping[str, Problem]) -> Iterator[str]:
    """The shards that could not be worked in, grouped by reason."""
    return shard_problem_lines(ShardEntry(shard=shard, problem=problems.get(shard.name)) for shard in _all(bulk))


def _all(bulk: BulkEsm) -> list[Shard]:
    return [*(shard for shard, _ in bulk.fleet.failed), *bulk.shards]


def shard_problem_lines(entries: Iterable[ShardEntry]) -> Iterator[str]:
    """The shards that could not be reached before anything was sent, grouped by reason."""
    found = list(entries)
    failed = unplanned(found)
    if failed:
        yield f"{len(failed):,} of {len(found):,} shards could not be reached:"
        yield from by_reason(failed)


def groups_lines(entries: Sequence[ShardEntry], groups: Sequence[Sequence[Shard]]) -> Iterator[str]:
    """What shards there are, and how the work is spread over them."""
    yield _spread([entry.shard for entry in entries])
    reached = [entry for entry in entries if entry.problem is None]
    busy = sorted((entry for entry in reached if entry.updates), key=lambda entry: entry.updates)
    if len(busy) > 1:
        least, most = busy[0], busy[-1]
        lowest, highest = f"{least.updates:,} ({name_of(least.shard)})", f"{most.updates:,} ({name_of(most.shard)})"
        yield f"  updates in a shard: {lowest} to {highest}"
    idle = [entry.shard for entry in reached if not entry.updates]
    if idle and busy:
        yield f"  nothing to do in {len(idle):,}: {_named(idle)}"
    if len(groups) > 1:
        sizes = [len(group) for group in groups]
        shown = " + ".join(f"{size:,}" for size in sizes[:_MOST_GROUPS])
        more = f" + {len(sizes) - _MOST_GROUPS:,} more" if len(sizes) > _MOST_GROUPS else ""
        yield f"  one after another, in {len(sizes):,} groups of shards: {shown}{more}"


def unplanned(entries: Iterable[ShardEntry]) -> list[tuple[Shard, str]]:
    """The shards that have no plan, and why."""
    return [(entry.shard, entry.problem.reason) for entry in entries if entry.problem is not None]


def afterwards(record: RunRecord, shards: Sequence[Shard]) -> str:
    """How to do what was not planned, since it could not be reached."""
    what = f"nothing was planned in {shards_text(len(shards))}; when they can be reached"
    if record.undoes:
        return f"{what} (it leaves alone what is as it was): bulk-esm rollback {record.undoes}"
    accounts = sorted({shard.account_id or "?" for shard in shards})
    regions = sorted({shard.region for shard in shards})
    of_file = any(word.split("=")[0] == "--fleet" for word in record.argv)
    if len(accounts) * len(regions) == len(shards) and len(accounts) <= _MOST_NAMED and not of_file:
        flags = f"--accounts {','.join(accounts)} --regions {','.join(regions)}"
        return f"{what}: the same command for them alone, with {flags}"
    if len(shards) <= _MOST_NAMED and all(shard.account_id for shard in shards):
        return f"{what}: the same command with {' '.join(f'--shard {shard.name}' for shard in shards)}"
    return f"{what}: the same command again (it leaves alone what is as asked)"


def by_reason(failed: Iterable[tuple[Shard, str]]) -> Iterator[str]:
    """Shards that failed, grouped by reason, the most frequent first."""
    groups: dict[str, list[Shard]] = {}
    as_told: dict[str, str] = {}
    for shard, reason in failed:
        general = general_reason(reason, shard.account_id, shard.region)
        groups.setdefault(general, []).append(shard)
        as_told[general] = reason if len(groups[general]) == 1 else _of_each(general)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for general, shards in ordered[:_MOST_GROUPS]:
        yield f"  {_named(shards)}: {' '.join(as_told[general].split())}"
    if len(ordered) > _MOST_GROUPS:
        left = sum(len(shards) for _, shards in ordered[_MOST_GROUPS:])
        yield f"  and {left:,} more shards, for {len(ordered) - _MOST_GROUPS:,} more reasons"


def _of_each(general: str) -> str:
    """A reason of several shards in words; only in an ARN is a placeholder what one would write."""
    if "arn:" in general:
        return general
    return general.replace("{account_id}", "each shard's own").replace("{region}", "its Region")


def general_reason(reason: str, account_id: str | None, region: str) -> str:
    """A reason without what differs from shard to shard, so that the same one in many shards is one."""
    named = reason.replace(account_id, "{account_id}") if account_id else reason
    return _REQUEST_ID.sub("...", named.replace(region, "{region}") if region else named)


def _spread(shards: Sequence[Shard]) -> str:
    """Such as `60 shards: 6 accounts x 10 Regions`."""
    accounts = len({shard.account_id for shard in shards})
    regions = len({shard.region for shard in shards})
    whose = f"{accounts:,} account{'s' if accounts != 1 else ''}"
    where = f"{regions:,} Region{'s' if regions != 1 else ''}"
    how_many = f"{len(shards):,} shard{'s' if len(shards) != 1 else ''}"
    is_whole = accounts * regions == len(shards)
    return f"{how_many}: {whose} x {where}" if is_whole else f"{how_many} in {whose} and {where}"


def _named(shards: Sequence[Shard]) -> str:
    """A few shards by name, with each account once: `111111111111 (eu-west-1, us-east-1), 222222222222 (eu-west-1)`."""
    regions: dict[str, list[str]] = {}
    for shard in shards[:_MOST_NAMED]:
        regions.setdefault(shard.account_id or "?", []).append(shard.region)
    names = ", ".join(f"{account_id} ({', '.join(of_account)})" for account_id, of_account in regions.items())
    more = len(shards) - _MOST_NAMED
    return f"{names} and {more:,} more" if more > 0 else names


def name_of(shard: Shard) -> str:
    """A shard in words."""
    return f"{shard.account_id or 'home'} {shard.region}"
