"""What a round is made of: all of it drawn from the seed and the number of the round."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final

import msgspec

from bulk_esm.simulator import Faults
from torturing.server import REGION, ServerSettings

ACCOUNTS: Final = ("123456789012", "222222222222", "333333333333")
REQUESTS_PER_S: Final = 1200.0  # so many that sending is bounded by concurrency and latency alone
LAGGING_SPEED: Final = 10.0  # 30 s of the service's time are 3 s here, which is longer than `continue` takes to look
SPEED: Final = 60.0


class Place(msgspec.Struct, frozen=True):
    """Where a round is played.

    Attributes:
        accounts: whose shards.
        which: the flags that say which shards, for commands that select.
        how: the flags that say who does the work, for all that send.
    """

    name: str
    accounts: tuple[str, ...]
    which: tuple[str, ...] = ()
    how: tuple[str, ...] = ()

    @property
    def is_dask(self) -> bool:
        """Whether a Dask cluster is needed."""
        return _SCHEDULER in self.how

    def at(self, scheduler: str) -> Place:
        """The place with the address of its scheduler."""
        return msgspec.structs.replace(self, how=tuple(scheduler if flag == _SCHEDULER else flag for flag in self.how))


_FLEET: Final = ("--accounts", ",".join(ACCOUNTS), "--regions", REGION, "--role-name", "bulk-esm")
_HOME: Final = Place("home", ACCOUNTS[:1])
_LOCAL: Final = Place("fleet", ACCOUNTS, _FLEET)
_PROCESSES: Final = Place("processes", ACCOUNTS, _FLEET, ("--executor", "process"))
# In turn; processes take four times as long as the others.
PLACES: Final = (_HOME, _LOCAL, _HOME, _LOCAL, _PROCESSES, *(_HOME, _LOCAL) * 5, *(_HOME,) * 5)
_LAG_CHANGES_EVERY: Final = 5  # rounds
_IN_WAVES: Final = 0.2
_SCHEDULER: Final = "SCHEDULER"  # stands for its address, which is not known before it listens
_DASK: Final = Place("dask", ACCOUNTS, _FLEET, ("--executor", "dask", "--scheduler", _SCHEDULER))
_DASK_EVERY: Final = 160  # rounds: after a kill 25 s are waited until its workers have stopped


class Chain(StrEnum):
    """Which changes follow each other."""

    PAUSE_RESUME = "pause, resume --run"
    APPLY_ROLLBACK = "apply, rollback"
    SAVED_ROLLBACK = "apply --plan, rollback"
    PAUSE_LEFT_RESUME = "pause left as it was, resume --run"
    PAUSE_LEFT_ROLLBACK = "pause left as it was, rollback"
    APPLY_LEFT_ROLLBACK = "apply left as it was, rollback"


LEFT: Final = frozenset({Chain.PAUSE_LEFT_RESUME, Chain.PAUSE_LEFT_ROLLBACK, Chain.APPLY_LEFT_ROLLBACK})


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round: a simulator, and changes to its mappings, each of them disturbed.

    Attributes:
        share: of the mappings that are selected; 1 is --all.
        batch_size: what apply sets.
        waves: flags of commands that make a run.
        trouble: which faults the simulator has, in a word.
    """

    seed: int
    number: int
    place: Place
    chain: Chain
    share: float
    batch_size: int
    trouble: str
    server: ServerSettings
    flags: tuple[str, ...]
    waves: tuple[str, ...] = ()

    def dice(self, what: str) -> random.Random:
        """The dice for something in this round, which do not depend on what came before."""
        return random.Random(f"{self.seed}/{self.number}/{what}")  # noqa: S311 - moments are no secret


_TROUBLES: Final[dict[str, dict[str, float]]] = {
    "none": {},
    "500s": {"error_share": 0.06},
    "cuts": {"cut_before_share": 0.03, "cut_after_share": 0.03},
    "throttles": {"other_caller_share": 0.97},
    "late": {},
}


def draw_round(seed: int, number: int) -> Round:
    """Draw a round."""
    dice = random.Random(f"{seed}/{number}")  # noqa: S311 - rounds are no secret
    place = PLACES[number % len(PLACES)] if (number + 1) % _DASK_EVERY else _DASK
    lags = number // _LAG_CHANGES_EVERY % 3 == 0  # a third, in each place
    trouble = dice.choices(list(_TROUBLES), weights=[6, 1, 1, 1, 2])[0]
    speed = LAGGING_SPEED if lags else SPEED
    return Round(
        seed=seed,
        number=number,
        place=place,
        chain=dice.choices(list(Chain), weights=[3, 3, 2, 1, 1, 1])[0],
        share=dice.choice([1.0, dice.uniform(0.4, 0.9)]),
        batch_size=dice.randint(2, 9),
        trouble=trouble,
        server=ServerSettings(
            accounts=place.accounts,
            mappings=dice.randint(20, 60) if len(place.accounts) == 1 else dice.randint(10, 24),
            seed=dice.randrange(1 << 30),
            speed=speed,
            quota_per_second=REQUESTS_PER_S / speed,
            settle_scale=0.15 * speed / SPEED,
            faults=Faults(
                latency_s=dice.choice([0.02, 0.05]),
                list_lag_s=dice.uniform(5, 30) if lags else 0.0,
                **_TROUBLES[trouble],  # type: ignore[arg-type] # numbers all of them
            ),
            late_share=0.2 if trouble == "late" else 0.0,
            late_s=0.5,  # below the 0.75 s for which `continue` waits at this rate
        ),
        flags=("--yes", "--quiet", "--rate", f"{REQUESTS_PER_S:g}", "--concurrency", str(dice.choice([2, 4, 8]))),
        waves=("--waves", "1,50%,100%") if dice.random() < _IN_WAVES else (),
    )
