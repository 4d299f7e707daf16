"""Try the locks in S3 against moto's server: machines that start at once, that are killed, and lost answers.

A machine is a process with a home and a temporary folder of its own; machines share the bucket and nothing else.

    python benchmarks/locks.py race --rounds 100        two start in the same instant; the one that gets the lock is
                                                        killed, and a third, whose clocks are an hour off, waits for it
    python benchmarks/locks.py cut --answers 200        answers are cut off after what was asked had been applied

Ends with 1 if ever two had a lock, one was taken before its lease was over, or one was orphaned.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import IO

import msgspec
from locks_machine import Wanted

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE.parent / "tests" / "s3"))
from s3_proxy import Answer, Kind, S3Proxy, at_random, s3_proxy  # noqa: E402 - it is among the tests
from s3_server import BUCKET, S3Server, s3_server  # noqa: E402

from bulk_esm.aws.bucket_settings import BucketSettings  # noqa: E402
from bulk_esm.errors import RefusedError  # noqa: E402
from bulk_esm.model.shard import Shard  # noqa: E402
from bulk_esm.store.s3.lease_rules import LeaseSettings, LockRecord, LockState  # noqa: E402
from bulk_esm.store.s3.locks import S3Locks, holder_here  # noqa: E402
from bulk_esm.store.s3.thread import BucketThread  # noqa: E402

_HOUR_S = 3_600.0


class Machine:
    """A process that shares nothing with others but the bucket."""

    def __init__(self, wanted: Wanted, environment: dict[str, str]) -> None:
        self._home = tempfile.TemporaryDirectory()
        folders = {"HOME": self._home.name, "TMPDIR": self._home.name, "XDG_RUNTIME_DIR": self._home.name}
        paths = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_HERE.parent)}
        self.process = subprocess.Popen(
            [sys.executable, str(_HERE / "locks_machine.py"), msgspec.json.encode(wanted).decode()],
            cwd=self._home.name,
            env={**paths, **folders, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hears(self) -> str:
        """Its next line."""
        return _pipe(self.process.stdout).readline().strip()

    def go_on(self) -> None:
        pipe = _pipe(self.process.stdin)
        pipe.write("\n")
        pipe.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._home.cleanup()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("no pipe")
    return pipe


def writes_to(proxy: S3Proxy, account_id: str) -> list[Answer]:
    """What was written to a lock, and how that was answered."""
    return [each for each in list(proxy.answers) if each.request.method == "PUT" and account_id in each.request.path]


@dataclass
class Round:
    """What came of a race."""

    said: list[str]
    held: int
    after_s: float  # from the dead one's last write to the next one's
    is_refused_by_name: bool
    is_taken_over: bool


def race(number: int, settings: Wanted, proxy: S3Proxy, environment: dict[str, str]) -> Round:
    account_id = f"{number:012}"
    wanted = msgspec.structs.replace(settings, account_id=account_id)
    two = [Machine(wanted, environment) for _ in range(2)]
    third = Machine(msgspec.structs.replace(wanted, wait=True, off_s=_HOUR_S * (-1) ** number), environment)
    try:
        for machine in (*two, third):
            machine.hears()  # that it is ready
        for machine in two:
            machine.go_on()
        said = [machine.hears() for machine in two]
        held = [machine for machine, words in zip(two, said, strict=True) if words == "held True"]
        if len(held) != 1:
            for each in writes_to(proxy, account_id):
                print(f"  {each.at_s:.3f} {each.request.condition} {each.status}")
            return Round(said, len(held), 0.0, is_refused_by_name=False, is_taken_over=False)
        refusal = next(words for words in said if words.startswith("refused"))
        time.sleep(random.uniform(0, 2 * settings.renew_every_s))  # noqa: S311
        held[0].process.kill()
        held[0].process.wait()
        time.sleep(0.2)  # what was on its way has arrived
        last_s = _last_s(proxy, account_id)
        third.go_on()
        words = third.hears()
        after_s = _last_s(proxy, account_id) - last_s if words == "held True" else 0.0
        by_name = f"process {held[0].process.pid} of" in refusal
        return Round(said, 1, after_s, is_refused_by_name=by_name, is_taken_over=words == "held True")
    finally:
        for machine in (*two, third):
            machine.end()


def _last_s(proxy: S3Proxy, account_id: str) -> float:
    return max(each.at_s for each in writes_to(proxy, account_id) if each.status == HTTPStatus.OK)


def races(server: S3Server, arguments: argparse.Namespace) -> bool:
    lease_s = arguments.lease
    settings = Wanted(
        bucket=BUCKET,
        account_id="",
        lease_s=lease_s,
        renew_every_s=lease_s / 4,
        request_timeout_s=lease_s / 3,
        reserve_s=lease_s / 12,
    )
    with s3_proxy(server.endpoint_url) as proxy, ThreadPoolExecutor(arguments.at_once) as pool:
        one = partial(race, settings=settings, proxy=proxy, environment=server.environment(proxy.url))
        rounds = list(pool.map(one, range(1, arguments.rounds + 1)))
    after = sorted(each.after_s for each in rounds if each.is_taken_over)
    early = sum(each < lease_s for each in after)
    alone = sum(each.held == 1 for each in rounds)
    print(f"lease {lease_s:g} s, {len(rounds)} rounds, {arguments.at_once} at a time")
    print(f"exactly one had the lock: {alone} of {len(rounds)}")
    for each in rounds:
        if each.held != 1:
            print(f"  {each.held} had it: {'; '.join(each.said)}")
    print(f"the other was refused by the holder's name: {sum(each.is_refused_by_name for each in rounds)}")
    print(f"holder killed, third (clocks an hour off) took over: {len(after)}, before the lease was over: {early}")
    print(f"from last write to next: least {after[0]:.2f} s, median {median(after):.2f} s, most {after[-1]:.2f} s")
    return alone == len(rounds) == len(after) and not early


def cuts(server: S3Server, arguments: argparse.Namespace) -> bool:
    with s3_proxy(server.endpoint_url) as proxy:
        os.environ.update(server.environment(proxy.url))
        proxy.choose = at_random(0.35, Kind.CUT_AFTER, seed=arguments.seed, holding=".locks/")
        threads = [BucketThread(BucketSettings(bucket=BUCKET, prefix="runs/")) for _ in range(2)]
        settings = LeaseSettings(lease_s=3_600.0, renew_every_s=2.0)
        locks = [S3Locks(thread, settings=settings) for thread in threads]
        rounds = orphaned = doubled = 0
        while proxy.done[Kind.CUT_AFTER] < arguments.answers:
            one, other = locks if rounds % 2 else locks[::-1]
            is_orphaned, is_doubled = _round_of_cuts(server, one, other)
            rounds, orphaned, doubled = rounds + 1, orphaned + is_orphaned, doubled + is_doubled
        for thread in threads:
            thread.close()
    print(f"answers cut off after they had been applied: {proxy.done[Kind.CUT_AFTER]}, in {rounds} rounds")
    print(f"locks orphaned or lost: {orphaned}, held by two: {doubled}")
    return not orphaned and not doubled


def _round_of_cuts(server: S3Server, one: S3Locks, other: S3Locks) -> tuple[bool, bool]:
    """Take a lock, renew it, and let it go, while another tries to take it."""
    shard = Shard(account_id="210987654321", region="eu-west-1")
    leases = one.take([shard], holder=holder_here(command="pause", started_at="-"))
    try:
        doubled = other.take([shard], holder=holder_here(command="resume", started_at="-"))
    except RefusedError:
        doubled = []
    for number in range(3):
        leases[0].tell(f"run-{number}").result()
    was_kept = leases[0].may_send()
    one.release(leases)
    ((_, body),) = server.bodies("runs/.locks/210987654321").items()
    record = msgspec.json.decode(body, type=LockRecord)
    return not was_kept or record.state is not LockState.RELEASED or record.runs[-1] != "run-2", bool(doubled)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    racing = commands.add_parser("race")
    racing.add_argument("--rounds", type=int, default=100)
    racing.add_argument("--lease", type=float, default=12.0, help="seconds; the product's is 60")
    racing.add_argument("--at-once", type=int, default=6)
    racing.set_defaults(work=races)
    cutting = commands.add_parser("cut")
    cutting.add_argument("--answers", type=int, default=200)
    cutting.add_argument("--seed", type=int, default=0)
    cutting.set_defaults(work=cuts)
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    with s3_server() as server:
        work: Callable[[S3Server, argparse.Namespace], bool] = arguments.work
        return 0 if work(server, arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
