"""Plays rounds for some minutes, and writes a row for each."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from s3_proxy import Kind, at_random, s3_proxy
from s3_server import s3_server

from torturing.in_s3 import PlayerInS3, S3Way
from torturing.playing import Player
from torturing.rounds import Round, draw_round
from torturing.rows import ROWS, Row, append_row, read_rows, write_table
from torturing.served import Served, serving


class Ways(NamedTuple):
    """How commands are started, and where runs are kept.

    Attributes:
        fork: see `Player`.
        s3: what keeps the runs; None for a folder.
        leases: see `PlayerInS3`.
    """

    fork: bool = False
    s3: S3Way | None = None
    leases: bool = False

    def player(self, drawn: Round, served: Served, folder: Path) -> Player:
        """Who plays a round."""
        if self.s3 is None:
            return Player(drawn, served, folder, fork=self.fork)
        return PlayerInS3(drawn, served, folder, s3=self.s3, fork=self.fork, locks=self.leases)


PLAIN = Ways()


def main() -> int:
    """Play rounds until the time is over; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=1.0, help="for how long to begin rounds (1)")
    parser.add_argument("--seed", type=int, default=1, help="of all rounds (1)")
    parser.add_argument("--first", type=int, help="number of the first round; by default the one after the last row's")
    parser.add_argument("--only", type=int, metavar="ROUND", help="play this round alone, and write no row")
    parser.add_argument("--kills", type=int, help="end when all rows together have so many SIGKILLs")
    parser.add_argument("--keep", type=Path, default=Path("bulk-esm-torture"), help="where bad rounds are kept")
    parser.add_argument("--fork", action="store_true", help="fork commands off one that has imported all: faster")
    parser.add_argument("--rows", type=Path, default=ROWS, help="where rows are appended")
    parser.add_argument("--table", action="store_true", help="only write the table anew")
    parser.add_argument("--s3", action="store_true", help="keep the runs in an S3 (moto's), each process a machine")
    parser.add_argument("--cut-share", type=float, default=0.0, help="with --s3: of its answers, cut or refused (0)")
    parser.add_argument("--leases", action="store_true", help="with --s3: wait for the leases of what was killed")
    options = parser.parse_args()
    with ExitStack() as stack:
        if not options.s3:
            return play_rounds(options, Ways(fork=options.fork))
        server = stack.enter_context(s3_server())
        proxy = stack.enter_context(s3_proxy(server.endpoint_url))
        proxy.choose = at_random(options.cut_share, Kind.CUT_AFTER, Kind.ERROR_AFTER, Kind.CUT_BEFORE, Kind.SLOW_DOWN)
        ways = Ways(fork=options.fork, s3=S3Way(server, proxy.url), leases=options.leases)
        code = play_rounds(options, ways)
        told = ", ".join(f"{count:,} {kind}" for kind, count in proxy.done.items())
        print(f"{len(proxy.requests):,} requests to S3; of these {told or 'none was disturbed'}")
        return code


def play_rounds(options: argparse.Namespace, ways: Ways) -> int:
    """Play rounds as the command line says."""
    if options.table:
        write_table(options.rows)
        return 0
    if options.only is not None:
        return int(bool(play_round(draw_round(options.seed, options.only), options.keep, ways, always=True).findings))
    rows = read_rows(options.rows)
    number = options.first
    if number is None:
        number = 1 + max((row.number for row in rows if row.seed == options.seed), default=-1)
    until = time.monotonic() + 60 * options.minutes
    kills = sum(row.kills for row in rows)
    is_bad = False
    print(f"seed {options.seed}, from round {number}; one again: scripts/torture --seed {options.seed} --only ROUND")
    while time.monotonic() < until and (options.kills is None or kills < options.kills):
        row = play_round(draw_round(options.seed, number), options.keep, ways)
        append_row(options.rows, row)
        kills += row.kills
        is_bad = is_bad or bool(row.findings)
        number += 1
    write_table(options.rows)
    return int(is_bad)


def play_round(drawn: Round, keep: Path, ways: Ways = PLAIN, *, always: bool = False) -> Row:
    """Play one round; what was bad is kept.

    Args:
        drawn: the round.
        keep: where to.
        ways: how commands are started, and where runs are kept.
        always: keep a good one too.
    """
    with tempfile.TemporaryDirectory(prefix="bulk-esm-torture-") as name:
        folder = Path(name)
        started_at = time.monotonic()
        with serving(drawn.server, folder, fork=ways.fork) as served, placed(drawn, served) as there:
            player = ways.player(there, served, folder)
            player.play()
            player.end()
        row = Row.of(drawn, player.operations, seconds=time.monotonic() - started_at)
        if row.findings or always:
            (folder / "round.json").write_bytes(msgspec.json.encode({"round": drawn, "row": row}))
            kept = keep / f"{drawn.seed}-{drawn.number}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept, symlinks=True)
    print(_line(row), flush=True)
    return row


@contextmanager
def placed(drawn: Round, served: Served) -> Iterator[Round]:
    """Start what a round's place needs beside the simulator."""
    if not drawn.place.is_dask:
        yield drawn
        return
    from executors_cluster import scheduler, workers  # noqa: PLC0415 - Dask is an extra

    with scheduler() as address, workers(address, 2, served.environment):
        yield msgspec.structs.replace(drawn, place=drawn.place.at(address))


def _line(row: Row) -> str:
    text = f"round {row.number}: {row.place}, {row.chain}, {row.trouble}, lag {row.lag_s:.0f} s: {row.kills} kills"
    text += f", {row.seconds:.1f} s"
    for finding in row.findings[:3]:
        text += f"\n    {finding.kind}: {finding.detail}"
    return text + (f"\n    and {len(row.findings) - 3} more" if len(row.findings) > 3 else "")  # noqa: PLR2004
