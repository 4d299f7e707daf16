"""What is written of the rounds: a row each, and the table of all rows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from torturing.judge import Finding, Kind
from torturing.rounds import Round

ROWS: Final = Path(__file__).parents[2] / "benchmarks" / "results" / "torture.jsonl"


class Operation(msgspec.Struct, kw_only=True):
    """One change with its continues.

    Attributes:
        continues_killed: of `kills`, those that hit a `continue`.
        done: what was done, in words, one for each process that was disturbed.
    """

    command: str
    processes: int = 0
    kills: int = 0
    continues: int = 0
    continues_killed: int = 0
    workers_killed: int = 0
    signals: int = 0
    done: list[str] = []
    findings: list[Finding] = []


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One round, as it was played."""

    seed: int
    number: int
    place: str
    chain: str
    trouble: str
    lag_s: float
    seconds: float
    operations: list[Operation]
    commit: str = ""

    @classmethod
    def of(cls, drawn: Round, operations: Sequence[Operation], *, seconds: float) -> Self:
        """The row of a round."""
        return cls(
            seed=drawn.seed,
            number=drawn.number,
            place=drawn.place.name,
            chain=drawn.chain,
            trouble=drawn.trouble,
            lag_s=round(drawn.server.faults.list_lag_s, 1),
            seconds=round(seconds, 1),
            operations=list(operations),
            commit=_commit(),
        )

    @property
    def kills(self) -> int:
        """How many SIGKILLs ended a process."""
        return sum(operation.kills for operation in self.operations)

    @property
    def findings(self) -> list[Finding]:
        """All that was wrong."""
        return [finding for operation in self.operations for finding in operation.findings]


def _commit() -> str:
    """Of this checkout: how a round is drawn may be another at a later one."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROWS.parent, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603


def append_row(path: Path, row: Row) -> None:
    """Append a row; one that a kill tore off goes."""
    whole = b"".join(_whole_lines(path))
    if path.exists() and len(whole) < path.stat().st_size:
        path.write_bytes(whole)
    with path.open("ab") as file:
        file.write(msgspec.json.encode(row) + b"\n")


def read_rows(path: Path) -> list[Row]:
    """All rows so far; of a round that was played again, the last."""
    return list({(row.seed, row.number): row for row in _every_row(path)}.values())


def mended(path: Path) -> list[Row]:
    """The rows with which something was wrong, of rounds that were played again later, as that was mended."""
    last = {(row.seed, row.number): row for row in _every_row(path)}
    return [row for row in _every_row(path) if row.findings and last[row.seed, row.number] != row]


def _every_row(path: Path) -> list[Row]:
    return [msgspec.json.decode(line, type=Row) for line in _whole_lines(path)]


def _whole_lines(path: Path) -> list[bytes]:
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith(b"\n")]


def write_table(path: Path) -> None:
    """Write the table of all rows beside them, and print it."""
    text = table_of(read_rows(path), mended(path))
    path.with_suffix(".md").write_text(text)
    print(text)


_NAMED: Final[Sequence[Kind]] = (Kind.LOST, Kind.DOUBLED, Kind.NEVER, Kind.TWICE, Kind.OUTSIDE)
_COLUMNS: Final[Sequence[tuple[str, Callable[[Operation], int]]]] = (
    ("operations", lambda operation: 1),  # noqa: ARG005 - each counts as one
    ("SIGKILLs", lambda operation: operation.kills),
    ("of these of `continue`", lambda operation: operation.continues_killed),
    ("continues", lambda operation: operation.continues),
    ("workers killed", lambda operation: operation.workers_killed),
    ("signals", lambda operation: operation.signals),
    ("lost or doubled", lambda operation: _count(operation, Kind.LOST, Kind.DOUBLED, Kind.NEVER)),
    ("accepted twice", lambda operation: _count(operation, Kind.TWICE)),
    ("outside", lambda operation: _count(operation, Kind.OUTSIDE)),
    ("other faults", lambda operation: len(operation.findings) - _count(operation, *_NAMED)),
)


def table_of(rows: Sequence[Row], again: Sequence[Row] = ()) -> str:
    """The tables in Markdown: by place and command, and by what was wrong with the service.

    Args:
        rows: of each round the last.
        again: see `mended`.
    """
    operations = [
        (row, operation) for row in rows for operation in row.operations if operation.command != "plan --save"
    ]
    hours = sum(row.seconds for row in rows) / 3600
    seeds = ", ".join(map(str, sorted({row.seed for row in rows})))
    by_place = _groups(operations, lambda row, operation: f"{row.place}, `{operation.command}`")
    by_trouble = _groups(operations, lambda row, _: f"{row.trouble}{', List lags' if row.lag_s else ''}")
    return "\n".join(
        [
            "# Torture",
            "",
            f"{len(rows):,} rounds in {hours:.1f} hours (`scripts/torture`, seed {seeds}).",
            "Each operation was continued to its end, but where the next one put back or resumed what it had done.",
            *[f"Found, mended, and played again: {_found(again)}."] * bool(again),
            "",
            _markdown("place and command", by_place),
            "",
            _markdown("faults of the service", by_trouble),
            "",
        ]
    )


def _found(rows: Sequence[Row]) -> str:
    return "; ".join(
        f"round {row.number} ({row.place}, {row.chain}: {', '.join(sorted({each.kind for each in row.findings}))})"
        for row in rows
    )


def _groups(
    operations: Iterable[tuple[Row, Operation]], name_of: Callable[[Row, Operation], str]
) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for row, operation in operations:
        found.setdefault(name_of(row, operation), []).append(operation)
    return dict(sorted(found.items())) | {"**all**": [operation for _, operation in operations]}


def _markdown(head: str, groups: dict[str, list[Operation]]) -> str:
    lines = [[head, *(name for name, _ in _COLUMNS)], ["---", *["---:"] * len(_COLUMNS)]]
    lines += [[name, *(f"{sum(map(count, of_group)):,}" for _, count in _COLUMNS)] for name, of_group in groups.items()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _count(operation: Operation, *kinds: Kind) -> int:
    return sum(finding.kind in kinds for finding in operation.findings)
