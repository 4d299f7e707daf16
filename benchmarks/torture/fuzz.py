"""Fuzz every reader, the answers of services, the command line, and whole run folders, for as long as is wanted.

    python benchmarks/torture/fuzz.py --inputs 100000 --folders 10000 --processes 2 --keep faults

Each trial is told by its kind and its number, which is its seed: `--only answers:17` repeats one, and shows it all.
What is allowed to come out stands in `tests/fuzz`, whose tests run some of the same trials in CI.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

_TESTS = Path(__file__).parents[2] / "tests"
sys.path[:0] = [str(_TESTS / folder) for folder in ("fuzz", "cli", "engine")]

import fuzz_answers  # noqa: E402 - where they are stands above
import fuzz_arguments  # noqa: E402 - likewise
from fuzz_command import a_home  # noqa: E402 - likewise
from fuzz_folders import make_scenarios  # noqa: E402 - likewise
from fuzz_judge import Judge  # noqa: E402 - likewise
from fuzz_readers import READERS, an_input, outcome  # noqa: E402 - likewise

LONGEST_S = 5
_SHARES = {"answers": 0.02, "arguments": 0.01}  # of the inputs; the rest goes to the readers

Told = tuple[str, str | None, str]  # what came of it, what is wrong, and all that helps to see why


class HangError(Exception):
    """A trial took too long."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    def too_long(*_: object) -> None:
        raise HangError(f"took more than {LONGEST_S} s")

    for number in (signal.SIGALRM, signal.SIGVTALRM):
        signal.signal(number, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S)  # of this process's own time, as the machine may be busy
    signal.alarm(60 * LONGEST_S)  # what waits for ever uses none of it
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.alarm(0)


def chance(number: int) -> Random:
    return Random(number)  # noqa: S311 - whose numbers repeat is what is wanted


def of_readers(home: Path) -> Callable[[int], Told]:
    (run := home / "run").mkdir(mode=0o700)

    def a_reading(number: int) -> Told:
        reader = READERS[number % len(READERS)]
        content = an_input(reader.seeds, chance(number))
        for left in run.iterdir():
            left.unlink()
        return f"{reader.name}: {outcome(reader, content, run)}", None, repr(content[:5000])

    return a_reading


def an_answer(number: int) -> Told:
    with a_home() as home:
        what, done = fuzz_answers.trial(chance(number), home)
    return f"answers: exit {done.code}", done.fault, f"{what}\n{done.stderr}"


def a_command_line(number: int) -> Told:
    with a_home() as home:
        what, done, wrong = fuzz_arguments.trial(chance(number), home)
    return f"arguments: exit {done.code}", done.fault or wrong, f"{what}\n{done.stderr}"


def of_folders(judge: Judge) -> Callable[[int], Told]:
    def a_folder(number: int) -> Told:
        done = judge.trial(chance(number))
        return f"folders: {done.verdict}", done.why or None, f"{done.what}\n{done.ended.stderr}"

    return a_folder


def tried(kind: str, number: int, trial: Callable[[int], Told]) -> dict[str, Any]:
    try:
        with limited():
            came, wrong, more = trial(number)
    except Exception as error:  # noqa: BLE001 - what may not come out is what is looked for
        came, wrong, more = f"{kind}: raised", f"{type(error).__name__}: {error}", traceback.format_exc()
        if kind == "readers":
            came = f"{READERS[number % len(READERS)].name}: raised"
    return {"trial": f"{kind}:{number}", "came": came, "wrong": wrong, "more": more}


def work(task: tuple[str, range]) -> tuple[Counter[str], list[dict[str, Any]]]:
    kind, numbers = task
    counts: Counter[str] = Counter()
    faults = []
    with a_home() as home, contextlib.redirect_stderr(io.StringIO()):
        trial = _TRIALS[kind](home)
        for number in numbers:
            found = tried(kind, number, trial)
            counts[found["came"]] += 1
            if found["wrong"]:
                counts[f"{kind}: FAULT"] += 1
                faults.append(found)
    return counts, faults


_TRIALS: dict[str, Callable[[Path], Callable[[int], Told]]] = {
    "readers": of_readers,
    "answers": lambda _: an_answer,
    "arguments": lambda _: a_command_line,
    "folders": lambda home: of_folders(Judge(list(make_scenarios(home).values()))),
}


def tasks(inputs: int, folders: int, begin: int) -> list[tuple[str, range]]:
    sizes = {kind: int(inputs * share) for kind, share in _SHARES.items()}
    sizes = {"readers": inputs - sum(sizes.values()), **sizes, "folders": folders}
    pieces = {"readers": 500, "folders": 100}
    return [
        (kind, range(at, min(begin + size, at + pieces.get(kind, 50))))
        for kind, size in sizes.items()
        for at in range(begin, begin + size, pieces.get(kind, 50))
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--folders", type=int, default=1_000)
    parser.add_argument("--begin", type=int, default=0, help="the number of the first trial of each kind")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-faults.jsonl"), help="where faults are written")
    parser.add_argument("--only", help="one trial, such as answers:17")
    options = parser.parse_args(arguments)
    if options.only:
        kind, _, number = options.only.partition(":")
        with a_home() as home:
            for name, value in tried(kind, int(number), _TRIALS[kind](home)).items():
                print(f"{name}: {value}")
        return 0
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    faults = 0
    with multiprocessing.Pool(options.processes) as pool, options.keep.open("a", encoding="utf-8") as file:
        for found, wrong in pool.imap_unordered(work, tasks(options.inputs, options.folders, options.begin)):
            counts.update(found)
            faults += len(wrong)
            for fault in wrong:
                file.write(json.dumps(fault) + "\n")
                file.flush()
                print(f"{fault['trial']}: {fault['wrong'][:200]}", flush=True)
            done = sum(count for name, count in counts.items() if not name.endswith("FAULT"))
            print(
                f"{done:,} trials in {time.monotonic() - begun:.0f} s, {faults:,} faults", file=sys.stderr, flush=True
            )
    for name, count in sorted(counts.items()):
        print(f"{count:9,}  {name}")
    print(f"{faults:,} faults" + (f", in {options.keep}" if faults else ""))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
