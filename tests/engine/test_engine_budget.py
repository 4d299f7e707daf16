"""The failure budget that the engines of several shards share: exceeded by one at the most, however they interleave."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_esm.engine.budget import Budget


@given(most=st.integers(0, 6), engines=st.integers(1, 5), each=st.integers(1, 12), seed=st.randoms())
def test_engines_that_meet_only_refusals_exceed_it_by_one(most: int, engines: int, each: int, seed: object) -> None:
    async def engine(budget: Budget, number: int, rests: list[int]) -> None:
        halted = anyio.Event()
        with budget.watched(halted.set):
            for update, rest in enumerate(rests):
                if halted.is_set():
                    return
                await budget.enter((number, update))
                if halted.is_set():
                    budget.leave((number, update))
                    return
                for _ in range(rest):
                    await anyio.lowlevel.checkpoint()
                budget.leave((number, update))
                budget.fail()

    async def main() -> Budget:
        budget = Budget(most)
        async with anyio.create_task_group() as tasks:
            for number in range(engines):
                rests = [seed.randint(0, 3) for _ in range(each)]  # type: ignore[attr-defined]
                tasks.start_soon(engine, budget, number, rests)
        return budget

    budget = anyio.run(main)
    assert budget.failures == min(most + 1, engines * each)
    assert budget.is_exceeded is (budget.failures > most)


async def test_without_a_budget_nobody_waits() -> None:
    budget = Budget(None)
    for number in range(1_000):
        await budget.enter(number)
        budget.fail()
    assert not budget.is_exceeded


async def test_who_left_before_may_leave_again() -> None:
    budget = Budget(0)
    await budget.enter("a")
    budget.leave("a")
    budget.leave("a")
    await budget.enter("b")
    with pytest.raises(TimeoutError), anyio.fail_after(0.01):
        await budget.enter("c")
