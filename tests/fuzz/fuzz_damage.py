"""What happens to the files of a run: crashes, disks, editors, copies, and programs of another version."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzz_mutations import TEXTS, mutated, mutated_json


def damage(run: Path, others: Sequence[Path], random: Random) -> str:
    """Damage one file of a run's folder.

    Args:
        run: the folder.
        others: the folders of other runs, to mix in.
        random: decides.

    Returns:
        What was done, in words.
    """
    files = sorted(path for path in run.rglob("*") if path.is_file() and path.name != "log.jsonl")
    if not files:
        return "nothing is left to damage"
    path, does = random.choice(files), random.choice(_DAMAGES)
    does(path, others, random)
    return f"{does.__name__.strip('_')} {path.relative_to(run)}"


_Damage = Callable[[Path, Sequence[Path], Random], None]


def _rewriting(does: Callable[[bytes, Random], bytes]) -> _Damage:
    def damages(path: Path, _: Sequence[Path], random: Random) -> None:
        path.write_bytes(does(path.read_bytes(), random))

    damages.__name__ = does.__name__
    return damages


def _cut_at_a_line(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[: random.randrange(len(lines) + 1)])


def _torn(content: bytes, random: Random) -> bytes:
    return content[: -1 - random.randrange(30)]


def _a_line_twice(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    return b"".join([*lines, random.choice(lines)])


def _a_line_for_another(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    lines[random.randrange(len(lines))] = random.choice(lines)
    return b"".join(lines)


def _lines_swapped(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    random.shuffle(lines)
    return b"".join(lines)


def _a_line_less(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    del lines[random.randrange(len(lines))]
    return b"".join(lines)


def _emptied(_: bytes, __: Random) -> bytes:
    return b""


def _zeroed(content: bytes, random: Random) -> bytes:
    """As a disk may leave the end of a file after a power cut."""
    at = random.randrange(len(content) + 1)
    return content[:at] + b"\x00" * (len(content) - at)


def _of_a_newer_version(content: bytes, random: Random) -> bytes:
    """Members and values that this version does not know."""
    lines = content.splitlines()
    for number, line in enumerate(lines):
        try:
            value: Any = json.loads(line)
        except ValueError:
            continue
        if not isinstance(value, dict):
            continue
        value["added_since"] = {"a": [1, None]}
        if "version" in value:
            value["version"] = "99.0.0"
        if random.random() < 0.5:
            name = random.choice(["status", "outcome", "action", "source_type", "executor"])
            value.update({name: "invented"} if name in value else {})
        lines[number] = json.dumps(value).encode()
    return b"\n".join(lines) + b"\n"


def _gone(path: Path, _: Sequence[Path], __: Random) -> None:
    path.unlink()


def _folder_gone(path: Path, _: Sequence[Path], __: Random) -> None:
    """That of a shard: a run whose folder is gone is no damaged one."""
    if path.parent.parent.name == "shards":
        shutil.rmtree(path.parent)
    else:
        path.unlink()


def _made_a_folder(path: Path, _: Sequence[Path], __: Random) -> None:
    path.unlink()
    path.mkdir()


def _of_another_run(path: Path, others: Sequence[Path], random: Random) -> None:
    there = [found for other in others for found in sorted(other.rglob(path.name))]
    if there:
        shutil.copyfile(random.choice(there), path)


def _a_line_of_another_run(path: Path, others: Sequence[Path], random: Random) -> None:
    there = [found for other in others for found in sorted(other.rglob(path.name)) if found.stat().st_size]
    if there:
        line = random.choice(random.choice(there).read_bytes().splitlines(keepends=True))
        path.write_bytes(path.read_bytes() + line)


def _a_text_for_another(content: bytes, random: Random) -> bytes:
    """One of the words of a record replaced throughout the file, as an editor would."""
    try:
        words = [each for each in json.loads(content.splitlines()[0]).values() if isinstance(each, str) and each]
    except (ValueError, LookupError, AttributeError):
        return content
    old = json.dumps(random.choice(words or ["run"]))[1:-1]
    return content.replace(old.encode(), json.dumps(random.choice(TEXTS))[1:-1].encode())


_DAMAGES: Final[tuple[_Damage, ...]] = (
    *map(
        _rewriting,
        (
            _cut_at_a_line,
            _cut_at_a_line,
            _torn,
            _a_line_twice,
            _a_line_for_another,
            _lines_swapped,
            _a_line_less,
            _emptied,
            _zeroed,
            _of_a_newer_version,
            _a_text_for_another,
            mutated,
            mutated_json,
            mutated_json,
        ),
    ),
    _gone,
    _folder_gone,
    _made_a_folder,
    _of_another_run,
    _a_line_of_another_run,
)
