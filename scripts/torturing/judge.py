"""What must hold after an operation, whatever was done to it on its way: pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, Final

import msgspec

Configuration = Mapping[str, Any]

DOCUMENTED: Final = frozenset({0, 1, 2, 3, 4, 5, 130})  # exit codes; see docs/exit-codes.md
_NOT_FOR_USERS: Final = ("Traceback (most recent call last)", "please report", "Task exception was never retrieved")
_MOVES: Final = frozenset({"LastModified", "StateTransitionReason", "LastProcessingResult"})  # whatever is asked for


class Kind(StrEnum):
    """What can be wrong."""

    LOST = "lost"  # planned, and no result
    DOUBLED = "doubled"  # more than one result
    PLAN = "plan"  # not what was selected
    OUTCOME = "outcome"
    TWICE = "accepted twice"
    NEVER = "never accepted"
    OUTSIDE = "outside"  # changed, and not selected
    STATE = "end state"
    CODE = "exit code"
    WORDS = "stderr"
    HANG = "hang"
    ORPHAN = "orphan"


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong."""

    kind: Kind
    detail: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation must come to.

    Attributes:
        selected: what it may touch.
        updates: of these, what must be accepted just once; the others never.
        members: what Get then shows by UUID; what is not named here is as it was before.
        all_planned: whether its plan has all that is selected, or some of it may be missing that is no update.
    """

    selected: frozenset[str]
    updates: frozenset[str]
    members: Mapping[str, Configuration]
    all_planned: bool = True


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was found after an operation.

    Attributes:
        plan: UUIDs of the lines of its plan; empty where no run was made as there was nothing to do.
        results: UUID and outcome of the lines of its results.
        accepted: by the server's record, by UUID.
        before: all mappings by UUID before it.
        after: and after it.
    """

    plan: Sequence[str]
    results: Sequence[tuple[str, str]]
    accepted: Mapping[str, int]
    before: Mapping[str, Configuration]
    after: Mapping[str, Configuration]


def steady(mapping: Configuration) -> dict[str, Any]:
    """A mapping without what every update moves."""
    return {name: value for name, value in mapping.items() if name not in _MOVES}


def judge(expected: Expected, seen: Seen) -> list[Finding]:
    """Say what is wrong with what an operation did, and with its record."""
    return [*_records(expected, seen), *_acceptances(expected, seen), *_end_states(expected, seen)]


def judge_left(expected: Expected, accepted: Mapping[str, int]) -> list[Finding]:
    """Say what is wrong with a change that was left as it was, somewhere on its way.

    Args:
        expected: what it would have come to.
        accepted: by the server's record, by UUID.
    """
    return _sent(expected, accepted)


def _records(expected: Expected, seen: Seen) -> list[Finding]:
    found = []
    planned = frozenset(seen.plan)
    must = expected.selected if expected.all_planned else expected.updates
    if len(planned) != len(seen.plan):
        found.append(Finding(Kind.PLAN, f"{len(seen.plan)} lines for {len(planned)} mappings"))
    found += _each(Kind.PLAN, "selected, and not in the plan", must - planned)
    found += _each(Kind.PLAN, "in the plan, and not selected", planned - expected.selected)
    counts = Counter(uuid for uuid, _ in seen.results)
    found += _each(Kind.LOST, "planned, and without a result", planned - counts.keys())
    found += _each(Kind.OUTCOME, "not planned, and with a result", counts.keys() - planned)
    found += [Finding(Kind.DOUBLED, f"{uuid} has {count} results") for uuid, count in counts.items() if count > 1]
    for uuid, outcome in seen.results:
        wanted = "updated" if uuid in expected.updates else "unchanged"
        if outcome != wanted:
            found.append(Finding(Kind.OUTCOME, f"{uuid} is {outcome}, and should be {wanted}"))
    return found


def _acceptances(expected: Expected, seen: Seen) -> list[Finding]:
    never = _each(Kind.NEVER, "never accepted", expected.updates - seen.accepted.keys())
    return _sent(expected, seen.accepted) + never


def _sent(expected: Expected, accepted: Mapping[str, int]) -> list[Finding]:
    found = []
    for uuid, count in accepted.items():
        most = int(uuid in expected.updates)
        if uuid not in expected.selected:
            found.append(Finding(Kind.OUTSIDE, f"{uuid} was sent {count} updates"))
        elif count > most:
            found.append(Finding(Kind.TWICE, f"{uuid} was accepted {count} times, and {most} were to be sent"))
    return found


def _end_states(expected: Expected, seen: Seen) -> list[Finding]:
    found = _each(Kind.OUTSIDE, "there before or after only", seen.before.keys() ^ seen.after.keys())
    for uuid in seen.before.keys() & seen.after.keys():
        wanted = {**steady(seen.before[uuid]), **expected.members.get(uuid, {})}
        got = steady(seen.after[uuid])
        if wanted != got:
            differing = sorted(n for n in wanted.keys() | got.keys() if wanted.get(n) != got.get(n))
            kind = Kind.STATE if uuid in expected.selected else Kind.OUTSIDE
            shown = ", ".join(f"{name} {wanted.get(name)!r} became {got.get(name)!r}" for name in differing)
            found.append(Finding(kind, f"{uuid}: {shown}"))
    return found


def judge_process(code: int, stderr: str, *, allowed: AbstractSet[int]) -> list[Finding]:
    """Say what is wrong with how a process ended.

    Args:
        code: its exit code; negative if a signal killed it.
        stderr: all of it.
        allowed: the codes that it may end with.
    """
    found = [Finding(Kind.WORDS, f"{words!r} on stderr") for words in _NOT_FOR_USERS if words in stderr]
    if code not in allowed:
        found.append(Finding(Kind.CODE, f"{code}: {stderr.strip()[-600:]}"))
    return found


def _each(kind: Kind, what: str, uuids: AbstractSet[str]) -> list[Finding]:
    return [Finding(kind, f"{uuid} is {what}") for uuid in sorted(uuids)]
