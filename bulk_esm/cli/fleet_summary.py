"""What a person reads on stderr of a fleet, before and after a run: pure text from records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from bulk_esm.cli.output import tail_of
from bulk_esm.cli.summary import cause_lines, ending_lines, heading_lines
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.model.result import TROUBLE, ErrorRecord, Outcome, Result
from bulk_esm.model.shard import Shard
from bulk_esm.store.fleet_folder import FleetFolder, ShardEntry

_MOST_GROUPS: Final = 8
_MOST_NAMED: Final = 5
_REQUEST_ID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_EXPLAINED: Final = TROUBLE | {Outcome.BLOCKED}


def shards_text(count: int) -> str:
    """So many shards, in words."""
    return f"{count:,} shard{'' if count == 1 else 's'}"


def shard_problem_lines(entries: Iterable[ShardEntry]) -> Iterator[str]:
    """The shards that could not be reached before anything was sent, grouped by reason.

    Args:
        entries: the fleet's shards.
    """
    found = list(entries)
    failed = _unplanned(found)
    if failed:
        yield f"{len(failed):,} of {len(found):,} shards could not be reached:"
        yield from _by_reason(failed)


def fleet_plan_summary(entries: Sequence[ShardEntry], groups: Sequence[Sequence[Shard]]) -> Iterator[str]:
    """What shards there are, and how the work is spread over them.

    Args:
        entries: the fleet's shards.
        groups: the shards, in the groups that go one after another.
    """
    yield _spread([entry.shard for entry in entries])
    reached = [entry for entry in entries if entry.problem is None]
    busy = sorted((entry for entry in reached if entry.updates), key=lambda entry: entry.updates)
    if len(busy) > 1:
        least, most = busy[0], busy[-1]
        lowest, highest = f"{least.updates:,} ({_name(least.shard)})", f"{most.updates:,} ({_name(most.shard)})"
        yield f"  updates in a shard: {lowest} to {highest}"
    idle = [entry.shard for entry in reached if not entry.updates]
    if idle and busy:
        yield f"  nothing to do in {len(idle):,}: {_named(idle)}"
    if len(groups) > 1:
        sizes = [len(group) for group in groups]
        shown = " + ".join(f"{size:,}" for size in sizes[:_MOST_GROUPS])
        more = f" + {len(sizes) - _MOST_GROUPS:,} more" if len(sizes) > _MOST_GROUPS else ""
        yield f"  one after another, in {len(sizes):,} groups of shards: {shown}{more}"


def fleet_run_summary(record: RunRecord, folder: FleetFolder) -> Iterator[str]:
    """What a run over many shards came to, its trouble grouped by shard and by cause, and how to go on.

    Args:
        record: the run.
        folder: its folder.

    Raises:
        RunFolderError: a file of the folder cannot be read.
    """
    yield from heading_lines(record)
    fleet = folder.fleet()
    unplanned = _unplanned(fleet.shards)
    lost = _lost(record, folder, [entry.shard for entry in fleet.shards if entry.problem is None])
    yield f"  {_states(record, len(fleet.shards), len(unplanned))}"
    yield from (f"  {line}" for line in _by_reason([*unplanned, *lost]))
    troubles: Counter[str] = Counter()
    # Read to the end before the shards are named: it is what counts their trouble. Only counts and examples are kept.
    causes = list(cause_lines(_results(record, folder, troubles), cause_of=_cause_of))
    yield from _troubled(troubles, {entry.shard.name: entry.shard for entry in fleet.shards})
    yield from causes
    yield from ending_lines(record, folder=folder.path, is_left=record.status is not RunStatus.FINISHED or bool(lost))
    if unplanned:
        yield f"  {_afterwards(record, [shard for shard, _ in unplanned])}"


def _unplanned(entries: Iterable[ShardEntry]) -> list[tuple[Shard, str]]:
    return [(entry.shard, entry.problem.reason) for entry in entries if entry.problem is not None]


def _lost(record: RunRecord, folder: FleetFolder, shards: Iterable[Shard]) -> list[tuple[Shard, str]]:
    """Why shards that have a plan could not be worked in to the end."""
    if record.shards and not record.shards.get(RunStatus.UNREACHABLE):
        return []
    found = ((shard, folder.shard(shard.name).record()) for shard in shards)
    return [(shard, one.reason or "") for shard, one in found if one.status is RunStatus.UNREACHABLE]


def _states(record: RunRecord, shards: int, unplanned: int) -> str:
    if not record.shards:  # it was killed
        return f"{shards:,} shards" + (f", {unplanned:,} {RunStatus.UNREACHABLE}" if unplanned else "")
    counts = [(status, record.shards.get(status, 0)) for status in RunStatus if record.shards.get(status)]
    (status, count), *others = counts
    return ", ".join([f"{count:,} of {shards:,} shards {status}", *(f"{n:,} {other}" for other, n in others)])


def _results(record: RunRecord, folder: FleetFolder, troubles: Counter[str]) -> Iterator[Result]:
    if record.status is not RunStatus.RUNNING and not any(record.counts.get(outcome) for outcome in _EXPLAINED):
        return  # no need to read them: of a large fleet they are millions
    for name in folder.names():
        for result in folder.shard(name).results():
            troubles[name] += result.outcome in TROUBLE
            yield result


def _troubled(troubles: Mapping[str, int], shards: Mapping[str, Shard]) -> Iterator[str]:
    found = sorted((-count, name) for name, count in troubles.items() if count)
    if not found:
        return
    named = [f"{_name(shards[name])} ({-count:,})" for count, name in found[:_MOST_GROUPS]]
    more = f" and {len(found) - _MOST_GROUPS:,} more" if len(found) > _MOST_GROUPS else ""
    yield f"  not well in {len(found):,} shards: {', '.join(named)}{more}"


def _afterwards(record: RunRecord, shards: Sequence[Shard]) -> str:
    """How to do what was not planned, since it could not be reached."""
    what = f"nothing was planned in {shards_text(len(shards))}; when they can be reached"
    if record.undoes:
        return f"{what}: bulk-esm rollback {record.undoes} (it leaves alone what is as it was)"
    accounts = sorted({shard.account_id for shard in shards})
    regions = sorted({shard.region for shard in shards})
    of_file = any(word.split("=")[0] == "--fleet" for word in record.argv)
    if len(accounts) * len(regions) == len(shards) and len(accounts) <= _MOST_NAMED and not of_file:
        flags = f"--accounts {','.join(accounts)} --regions {','.join(regions)}"
        return f"{what}: the same command for them alone, with {flags}"
    return f"{what}: the same command again (it leaves alone what is as asked)"


def _by_reason(failed: Iterable[tuple[Shard, str]]) -> Iterator[str]:
    groups: dict[str, list[Shard]] = {}
    as_told: dict[str, str] = {}
    for shard, reason in failed:
        general = _general(reason, shard.account_id, shard.region)
        groups.setdefault(general, []).append(shard)
        as_told[general] = reason if len(groups[general]) == 1 else general
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for general, shards in ordered[:_MOST_GROUPS]:
        yield f"  {_named(shards)}: {' '.join(as_told[general].split())}"
    if len(ordered) > _MOST_GROUPS:
        left = sum(len(shards) for _, shards in ordered[_MOST_GROUPS:])
        yield f"  and {left:,} more shards, for {len(ordered) - _MOST_GROUPS:,} more reasons"


def _cause_of(result: Result, error: ErrorRecord) -> tuple[str, str]:
    account_id = result.account_id or ""
    where = f"{tail_of(result.function_arn)} in {account_id} {result.region}".replace("  ", " ")
    return _general(f"{error.code}: {error.message}", account_id, result.region), where


def _general(reason: str, account_id: str, region: str) -> str:
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
        regions.setdefault(shard.account_id, []).append(shard.region)
    names = ", ".join(f"{account_id} ({', '.join(of_account)})" for account_id, of_account in regions.items())
    more = len(shards) - _MOST_NAMED
    return f"{names} and {more:,} more" if more > 0 else names


def _name(shard: Shard) -> str:
    return f"{shard.account_id} {shard.region}"
