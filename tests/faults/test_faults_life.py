"""The life of runs as a state machine: killed anywhere, damaged, lagged, continued, put back and resumed, in any order.

A kill lets nothing more reach the disk, nor Lambda; but for an update that was on its way, which may land later.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import io
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from engine_world import VirtualTimeLoop
from faults_world import PAUSE, REGIONS, World, world
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bulk_esm import Intent, RunPlan, RunStatus, Selection
from bulk_esm.errors import RunFolderError, UsageError
from bulk_esm.model.plan import Action
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.runs.resuming import paused_anything, paused_by_runs
from bulk_esm.simulator import Faults
from bulk_esm.simulator.api import Answer, answer
from bulk_esm.store import disk
from bulk_esm.store.run_files import RunFiles
from bulk_esm.store.shard_files import ShardFiles

EACH = 4
LANDS_AFTER_S = 30.0
FOR_EVER_S = 1e9


class Killed(BaseException):
    """What a process that is gone would have done next."""


class Death(NamedTuple):
    """When a process is killed: at so many requests, or calls that reach the disk; None if not.

    Attributes:
        at: the number.
        of: requests, or disk.
        done: whether that one is still carried out: for the disk half of it, where it is a write.
        late: whether an update that had begun lands later.
    """

    at: int | None = None
    of: str = "requests"
    done: bool = False
    late: bool = False


class Life:
    """One process: until it is killed, all is as it is."""

    def __init__(self, death: Death) -> None:
        self.is_over = False
        self.scope: anyio.CancelScope | None = None
        self._death = death
        self._count: Counter[str] = Counter()
        self._write, self._rename, self._answer = disk.write, disk.rename, answer

    def write(self, file: io.RawIOBase, data: bytes) -> None:
        if self._dies("disk") and self._death.done:
            self._write(file, data[: len(data) // 2])
        self._go_on()
        self._write(file, data)

    def sync(self, _: int) -> None:
        self._dies("disk")
        self._go_on()

    def rename(self, path: Path, name: Path) -> None:
        if self._dies("disk") and self._death.done:
            self._rename(path, name)
        self._go_on()
        self._rename(path, name)

    def answer(self, *arguments: Any) -> Answer:
        was_over = self.is_over
        dies = self._dies("requests")
        found = self._answer(*arguments) if not was_over and (not dies or self._death.done) else None
        if found is None or self.is_over:
            return Answer(status=0, headers={}, body=b"", cut=True)
        return found

    def _dies(self, of: str) -> bool:
        self._count[of] += 1
        dies = not self.is_over and of == self._death.of and self._count[of] == self._death.at
        if dies:
            self.is_over = True
            assert self.scope is not None
            self.scope.cancel()
        return dies

    def _go_on(self) -> None:
        if self.is_over:
            raise Killed

    async def live(self, work: Callable[[], Awaitable[None]]) -> None:
        with pytest.MonkeyPatch.context() as patch, anyio.CancelScope() as self.scope:
            for name in ("write", "sync", "rename"):
                patch.setattr(disk, name, getattr(self, name))
            patch.setattr("bulk_esm.simulator.server.answer", self.answer)
            try:
                await work()
            except BaseException:
                if not self.is_over:
                    raise


class OneRun:
    """A run, and what it is to come to.

    Attributes:
        files: its files.
        before: the states before it, at rest.
        after: those in the end.
        accepted: how often an update of each mapping was accepted for it.
    """

    def __init__(self, files: RunFiles, kind: str, before: dict[str, str], after: dict[str, str]) -> None:
        self.path = files.path
        self.kind = kind
        self.before = before
        self.after = after
        self.accepted: Counter[str] = Counter()

    @property
    def files(self) -> RunFiles:
        return RunFiles(self.path)  # read anew, as a new process would

    @property
    def is_unfinished(self) -> bool:
        return self.files.record().status is RunStatus.RUNNING


deaths = st.one_of(
    st.builds(Death, at=st.integers(1, 30), of=st.just("requests"), done=st.booleans(), late=st.booleans()),
    st.builds(Death, at=st.integers(1, 90), of=st.just("disk"), done=st.booleans(), late=st.booleans()),
    st.just(Death()),
)
DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "results torn": ("results.jsonl", lambda whole: whole + b'{"run_id":"torn'),
    "results cut": ("results.jsonl", lambda whole: b"".join(whole.splitlines(keepends=True)[:1])),
    "results gone": ("results.jsonl", lambda _: None),
    "begun torn": ("begun.jsonl", lambda whole: whole + b'{"wave":1,"uuids":["'),
}
REFUSED: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "plan cut": ("plan.jsonl", lambda whole: b"".join(whole.splitlines(keepends=True)[:-1])),
    "plan gone": ("plan.jsonl", lambda _: None),
    "results garbled": ("results.jsonl", lambda whole: b"what\n" + whole),
    "begun gone": ("begun.jsonl", lambda _: None),
    "begun garbled": ("begun.jsonl", lambda whole: b"what\n" + whole),
}


class LivesOfRuns(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self._open = AsyncExitStack()
        self._folder = Path(self._open.push(tempfile.TemporaryDirectory()).name)
        self.runs: list[OneRun] = []
        self.late: dict[str, str] = {}
        self.lag_s = 0.0

    @initialize(
        regions=st.sampled_from([REGIONS[:1], REGIONS]),
        lag_s=st.sampled_from([0.0, 20.0, FOR_EVER_S]),
        waves=st.sampled_from([(), ("1", "100%")]),
    )
    def begin(self, regions: tuple[str, ...], lag_s: float, waves: tuple[str, ...]) -> None:
        self.lag_s, self.waves = lag_s, waves
        opening = world(self._folder, regions=regions, each=EACH, faults=Faults(list_lag_s=lag_s))
        self.there: World = self._runner.run(self._open.enter_async_context(opening))
        self.outside = min(self.there.states())
        self.meant = Selection(uuids=frozenset(self.there.states().keys() - {self.outside}))

    def teardown(self) -> None:
        self._runner.run(self._open.aclose())
        self._runner.close()

    # What may happen

    @rule(death=deaths, which=st.integers(0, 11))
    def a_command(self, death: Death, which: int) -> None:
        """Whatever makes sense as things stand."""
        if not self.runs:
            return self.pause(death, self.waves)
        may = [self.put_back]
        may.append(self.go_on if self.runs[-1].is_unfinished else functools.partial(self.pause, waves=self.waves))
        may += [self.resume] * (self.runs[-1].kind == "pause")
        return may[which % len(may)](death)

    @rule(damage=st.sampled_from(sorted(DAMAGES)), refused=st.sampled_from(sorted(REFUSED)), shard=st.integers(0, 2))
    def damages(self, damage: str, refused: str, shard: int) -> None:
        if self.runs and self.runs[-1].is_unfinished:
            self.what_cannot_be_is_refused(refused, shard)
            if DAMAGES[damage][0] == "results.jsonl" and self.has_ended(shard):
                self.what_cannot_be_is_refused(damage, shard)
            else:
                self.damage(damage, shard)

    @rule()
    def time_passes(self) -> None:
        if self.lag_s < FOR_EVER_S and not self.late:
            self._runner.run(anyio.sleep(700))

    # How it happens

    def pause(self, death: Death, waves: tuple[str, ...]) -> None:
        async def plan() -> RunPlan:
            return await self.there.bulk.plan(self.meant, PAUSE)

        after = self.at_rest() | dict.fromkeys(self.meant.uuids, "Disabled")
        self.start("pause", plan, after, death, rollout=RolloutSettings(waves=waves))

    def go_on(self, death: Death) -> None:
        async def work() -> None:
            code = await self.there.go_on(self.runs[-1].files)
            assert code == 0

        self.live(work, death)

    def put_back(self, death: Death) -> None:
        last = self.runs[-1]

        async def plan() -> RunPlan:
            return await self.there.bulk.plan_rollback(last.files)

        self.start("rollback", plan, last.before, death, undoes=last.path.name)

    def resume(self, death: Death) -> None:
        last = self.runs[-1]

        async def plan() -> RunPlan:
            return await self.there.bulk.plan_resuming(paused_by_runs([last.files]))

        if not paused_anything(last.files):
            with pytest.raises(UsageError, match="did not pause anything"):
                self._runner.run(plan())
            return
        self.start("resume", plan, last.before, death)

    def damage(self, damage: str, shard: int) -> None:
        event(damage)
        name, does = DAMAGES[damage]
        change(self.file(name, shard), does)

    def what_cannot_be_is_refused(self, damage: str, shard: int) -> None:
        name, does = (DAMAGES | REFUSED)[damage]
        path = self.file(name, shard)
        whole = path.read_bytes() if path.exists() else None
        accepted = self.there.accepted()
        change(path, does)
        with pytest.raises(RunFolderError):
            self._runner.run(self.there.bulk.plan_rest(self.runs[-1].files))
        assert self.there.accepted() == accepted
        change(path, lambda _: whole)

    def start(
        self,
        kind: str,
        plan_of: Callable[[], Awaitable[RunPlan]],
        after: dict[str, str],
        death: Death,
        *,
        rollout: RolloutSettings = RolloutSettings(),  # noqa: B008 - it is frozen
        undoes: str | None = None,
    ) -> None:
        before, there = self.at_rest(), set(self._folder.iterdir())

        async def work() -> None:
            with await plan_of() as plan:
                assert plan.count(Action.BLOCKED) == 0
                run = self.there.bulk.prepare(plan, intent=Intent(command=kind, rollout=rollout, undoes=undoes))
                record = await run.carry_out()
                assert record.status is RunStatus.FINISHED

        self.live(work, death, lambda: self.find(there, kind, before, after))

    def find(self, there: set[Path], kind: str, before: dict[str, str], after: dict[str, str]) -> None:
        new = [path for path in self._folder.iterdir() if path not in there and not path.name.startswith(".")]
        self.runs += [OneRun(RunFiles(path), kind, before, after) for path in new]

    def live(self, work: Callable[[], Awaitable[None]], death: Death, ended: Callable[[], None] = lambda: None) -> None:
        """Do something, in a process that may be killed."""
        accepted, landing = Counter(self.there.accepted()), dict(self.late)
        life = Life(death)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            handles = [loop.call_later(LANDS_AFTER_S, functools.partial(self.land, uuid)) for uuid in landing]
            await life.live(work)
            for handle in handles:
                handle.cancel()

        owner = self.runs[-1] if self.runs else None
        self._runner.run(main())
        ended()
        for uuid in landing:
            self.land(uuid)  # at the latest
        new = Counter(self.there.accepted())
        new.subtract(accepted)
        for uuid in landing:  # an update of the run that was killed before
            new[uuid] -= 1
            assert owner is not None
            owner.accepted[uuid] += 1
        if self.runs:
            self.runs[-1].accepted.update(new)
        else:
            assert not +new
        event(f"killed: {life.is_over}")
        if life.is_over and death.late and self.runs and self.runs[-1].is_unfinished:
            self.leave_one_on_its_way()
        if self.runs and not self.runs[-1].is_unfinished:
            self.check_the_end(self.runs[-1])

    def leave_one_on_its_way(self) -> None:
        """An update that had begun and was not accepted may land within the client's read timeout."""
        last = self.runs[-1]
        for shard in last.files.planned():
            begun = last.files.shard(shard).begun() or frozenset()
            for item in last.files.shard(shard).plan().updates:
                if item.uuid in begun and not last.accepted[item.uuid] and item.uuid not in self.late:
                    self.late[item.uuid] = "Enabled" if item.request["Enabled"] else "Disabled"
                    return

    def land(self, uuid: str) -> None:
        asked = self.late.pop(uuid, None)
        if asked is not None:
            simulator = self.there.simulator
            simulator._world.of(uuid).update(uuid, {"Enabled": asked == "Enabled"}, simulator.now)

    def at_rest(self) -> dict[str, str]:
        """The states that all come to, with what is on its way."""
        later = self.there.simulator.now + 10_000
        shards = self.there.simulator._world
        return {each["UUID"]: each["State"] for shard in shards for each in shard.snapshot(later)} | self.late

    def has_ended(self, shard: int) -> bool:
        """Whether the results of a shard are complete, and their digest is known."""
        return ShardFiles(self.file("run.json", shard).parent).record().results is not None

    def file(self, name: str, shard: int) -> Path:
        files = self.runs[-1].files
        planned = files.planned()
        return files.shard(planned[shard % len(planned)]).path / name

    # What must hold

    @invariant()
    def nothing_is_accepted_twice_for_a_run_nor_outside(self) -> None:
        for one in self.runs:
            assert max(one.accepted.values(), default=0) <= 1
            assert not one.accepted[self.outside]

    def check_the_end(self, run: OneRun) -> None:
        assert sorted(result.uuid for result in run.files.results()) == sorted(item.uuid for item in run.files.items())
        assert self.at_rest() == run.after


def change(path: Path, does: Callable[[bytes], bytes | None]) -> None:
    content = does(path.read_bytes() if path.exists() else b"")
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


LivesOfRuns.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)


@pytest.fixture(autouse=True)
def killed_leave_files_open() -> Iterator[None]:
    """Which is no matter of the next test."""
    yield
    gc.collect()


TestLivesOfRuns = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")(LivesOfRuns.TestCase)
