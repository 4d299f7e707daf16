"""Trials of damaged run folders: a command either refuses, says what it passed over, or does as with a whole one.

The judge has the original. That nothing is said counts as harmless only where the command accounts for the same
mappings in the same way, the same updates are sent, and every mapping ends as it does with the whole folder.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzz_command import Ended, Service, a_home, called
from fuzz_damage import damage
from fuzz_folders import PLACES, Mappings, Scenario, age

from bulk_esm.cli.continue_ import continue_command
from bulk_esm.cli.options import RunOptions, RunsOptions
from bulk_esm.cli.resume import resume_command
from bulk_esm.cli.rollback import rollback_command
from bulk_esm.cli.runs import runs_command
from bulk_esm.cli.show import show_command
from bulk_esm.cli.verify import verify_command

_NO_CREDENTIALS: Final = 5
_USAGE: Final = 2
_YES: Final = RunOptions(yes=True, skip_blocked=True)
# The commands as their command lines come to them.
_WORK: Final[dict[str, Callable[[str, RunsOptions], Callable[[], int]]]] = {
    "show": lambda run, runs: lambda: show_command(run, runs=runs),
    "runs": lambda _, runs: lambda: runs_command(runs=runs),
    "verify": lambda run, runs: lambda: verify_command(run, runs=runs),
    "continue": lambda run, runs: lambda: continue_command(run, yes=True, max_failures="100%", runs=runs),
    "rollback": lambda run, runs: lambda: rollback_command(run, run=_YES, runs=runs),
    "resume": lambda run, runs: lambda: resume_command(run_=(run,), run=_YES, runs=runs),
}


@dataclass(frozen=True)
class Trial:
    """What was done to a folder, and what came of it.

    Attributes:
        what: the scenario, the damages and the command.
        verdict: `refused`, `salvaged`, `told`, `edited` or `harmless`; `fault` with why.
        why: what is wrong.
        ended: what the command left behind.
    """

    what: str
    verdict: str
    why: str = ""
    ended: Ended = field(default_factory=lambda: Ended(0, "", ""))


@dataclass(frozen=True)
class Account:
    """What a command came to.

    Attributes:
        code: its exit code.
        mappings: what it says of which mapping.
        sent: to which mappings updates were sent, and how many.
        after: all mappings at the end.
        said: what is on stderr.
    """

    code: int
    mappings: tuple[tuple[str, str], ...]
    sent: tuple[tuple[str, int], ...]
    after: tuple[str, ...]
    said: str

    def differs_from(self, whole: Account) -> str:
        """In what it is not as with the whole folder."""
        for name in ("code", "sent", "after", "mappings"):
            mine, other = getattr(self, name), getattr(whole, name)
            if mine != other:
                return f"{name}: {_difference(mine, other)}"
        return ""


def _difference(mine: Any, other: Any) -> str:
    if isinstance(mine, tuple):
        return f"less {list(set(other) - set(mine))[:3]}, more {list(set(mine) - set(other))[:3]}"
    return f"{mine} and not {other}"


class Judge:
    """Holds what commands come to with whole folders, and compares.

    Attributes:
        scenarios: the whole folders.
    """

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        """Begin; the commands are run when they are first needed."""
        self.scenarios = scenarios
        self._whole: dict[tuple[str, str], Account] = {}

    def trial(self, random: Random) -> Trial:
        """Damage a copy of a folder by chance, read it by one command, and judge."""
        scenario, name = random.choice(self.scenarios), random.choice(list(_WORK))
        salvage = random.random() < 0.4 and name != "runs"
        whole = self._of_whole(scenario, name)
        with a_home() as home, scenario.copied(home) as copy:
            others = [other.path for other in self.scenarios if other is not scenario]
            damages = [damage(copy / scenario.run, others, random) for _ in range(random.choice((1, 1, 1, 2, 3)))]
            age(copy)
            what = f"{scenario.name}: {', '.join(damages)}: {name}{' --salvage' if salvage else ''}"
            before = _bytes_of(copy / scenario.run)
            done, account = _done(scenario, home, name, salvage=salvage)
            return _judged(what, done, account, whole, is_untouched=_bytes_of(copy / scenario.run) == before)

    def _of_whole(self, scenario: Scenario, name: str) -> Account:
        key = (scenario.name, name)
        if key not in self._whole:
            with a_home() as home, scenario.copied(home):
                self._whole[key] = _done(scenario, home, name, salvage=False)[1]
        return self._whole[key]


def _judged(what: str, done: Ended, found: Account, whole: Account, *, is_untouched: bool) -> Trial:
    difference = found.differs_from(whole)
    is_refused = found.code in (_USAGE, _NO_CREDENTIALS) and found.code != whole.code
    verdict, why = "fault", done.fault or difference
    if done.fault:
        pass
    elif not difference or _looks_at_more(found, whole):
        verdict = "harmless"
    elif is_refused and found.sent:
        why = f"refused, and yet sent {found.sent}"
    elif is_refused and not is_untouched:
        why = "refused, and yet the folder was changed"
    elif is_refused:
        verdict = "refused"
    elif "damaged: " in found.said or '"unreadable"' in done.stdout:
        verdict = "salvaged"
    elif _says_what_is_missing(found, whole):
        verdict = "told"
    elif _is_edited(what, found, whole):
        verdict = "edited"
    return Trial(what, verdict, why if verdict == "fault" else "", done)


def _says_what_is_missing(found: Account, whole: Account) -> bool:
    """Whether less is known of a run that did not end, and it is said of how many mappings, or of which.

    What a killed run has lost of its results is looked at again, so it may be found changed by someone since.
    """
    if "mappings have no result" in whole.said or "is not known, and is left out" in whole.said:
        counts = [int(count) for each in (found, whole) for count in re.findall(_NOT_KNOWN, each.said)]
        is_part = set(found.mappings) <= set(whole.mappings)
        return is_part and len(counts) == 2 and counts[0] > counts[1]
    mine, other = dict(found.mappings), dict(whole.mappings)
    others = {mine[uuid] for uuid in mine if mine[uuid] != other.get(uuid)}
    return mine.keys() == other.keys() and others == {"conflict"} and found.after == whole.after


def _looks_at_more(found: Account, whole: Account) -> bool:
    """Whether it is only that mappings were looked at too to which nothing had been sent."""
    more = {outcome for _, outcome in set(found.mappings) - set(whole.mappings)}
    same = (found.code, found.sent, found.after) == (whole.code, whole.sent, whole.after)
    return same and set(whole.mappings) <= set(found.mappings) and more == {"unchanged"}


def _is_edited(what: str, found: Account, whole: Account) -> bool:
    """Whether only what is shown of results differs that somebody has edited before the run had an end.

    They grow, so nothing has their digest yet: of a line that is another such line of the same run and mapping nobody
    can tell. What is sent and what comes of it is the same.
    """
    is_unfinished = "killed: " in what and "results.jsonl" in what
    same = (found.code, found.sent, found.after) == (whole.code, whole.sent, whole.after)
    return is_unfinished and same and [uuid for uuid, _ in found.mappings] == [uuid for uuid, _ in whole.mappings]


_NOT_KNOWN: Final = re.compile(r"(?:what became of )?(\d+) (?:of \d+ )?mappings (?:have no result|is not known)")


def _done(scenario: Scenario, home: Path, name: str, *, salvage: bool) -> tuple[Ended, Account]:
    service = _changed_behind(scenario)
    sent: Counter[str] = Counter()
    asked = service.answered

    def watched(request: Any, found: Any) -> Any:
        if request.method == "PUT":
            sent[request.path.rpartition("/")[2]] += 1
        return asked(request, found)

    service.answered = watched
    before = {path.name for path in (home / "bulk-esm-runs").iterdir()}
    done = called(service, _WORK[name](scenario.run, RunsOptions(salvage=salvage)), home=home)
    if name in {"show", "runs", "verify"}:
        mappings = _lines(done.stdout)
    else:
        new = [path for path in (home / "bulk-esm-runs").iterdir() if path.name not in before]
        folder = home / "bulk-esm-runs" / scenario.run if name == "continue" else next(iter(new), home / "nothing")
        mappings = _results(folder)
    after = tuple(_at_the_end(service))
    return done, Account(done.code, mappings, tuple(sorted(sent.items())), after, done.stderr)


def _changed_behind(scenario: Scenario) -> Service:
    """Lambda as it was then, but that somebody has changed a mapping since: what verify should tell of."""
    service = scenario.service()
    for mapping in list(scenario.mappings[PLACES[0]].values())[-1:]:
        service.world.of(mapping["UUID"]).change_behind(
            mapping["UUID"], {"State": "Enabled", "BatchSize": 6}, service.now()
        )
    return service


def _at_the_end(service: Service) -> list[str]:
    found: list[Mappings] = [service.mappings(place) for place in PLACES]
    shown = [each for of_place in found for each in of_place.values()]
    for mapping in shown:
        mapping.pop("LastModified", None)
    return sorted(json.dumps(mapping, sort_keys=True) for mapping in shown)


def _lines(stdout: str) -> tuple[tuple[str, str], ...]:
    """What is said of which mapping or run."""
    found = [json.loads(line) for line in stdout.splitlines()]
    names = ("outcome", "state", "request", "differences", "problem", "status", "counts")
    return tuple(
        sorted(
            (str(one.get("uuid", one.get("run_id"))), json.dumps({name: one.get(name) for name in names}))
            for one in found
        )
    )


def _results(folder: Path) -> tuple[tuple[str, str], ...]:
    found = []
    for path in sorted(folder.rglob("results.jsonl")):
        for line in path.read_bytes().splitlines() if path.is_file() else ():
            try:
                one = json.loads(line)
                found.append((str(one["uuid"]), str(one["outcome"])))
            except (ValueError, LookupError, TypeError):
                found.append(("no result", ""))
    return tuple(sorted(found))


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
