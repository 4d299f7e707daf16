"""`bulk-esm demo`: a fleet paused and resumed, start to end, on the simulator in this very process."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli.streams import say
from bulk_esm.errors import UsageError
from bulk_esm.model.mapping import State

if TYPE_CHECKING:
    from bulk_esm.bulk import BulkEsm
    from bulk_esm.runs.planning import RunPlan
    from bulk_esm.simulator import Simulator
    from bulk_esm.store.run_files import RunFiles

_SPEED = 20.0
_RATE = 12.0 * _SPEED  # the default, at the simulator's speed


def demo_command(*, mappings: Annotated[int, Parameter(help="Mappings in the simulated fleet.")] = 2000) -> int:
    """Pause and resume a simulated fleet, start to end. Nothing outside this process is touched.

    Example: bulk-esm demo
    """
    import anyio

    from bulk_esm.cli.opening import interruptible

    if mappings < 1:
        raise UsageError(f"--mappings is at least 1, not {mappings}")
    return anyio.run(interruptible, partial(_demo, mappings))


async def _demo(mappings: int) -> int:
    from bulk_esm.simulator import Simulator
    from bulk_esm.store.temporary import temporary_folder

    async with Simulator(mappings=mappings, speed=_SPEED, seed=1) as simulator:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)  # the fleet is simulated, and so are the credentials
        # Neither a proxy nor a switch that turns endpoints off may lead elsewhere.
        os.environ.pop("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", None)
        os.environ.update(simulator.environment | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})
        say(f"A simulated Lambda control plane, {_SPEED:g} times as fast as the real one: same quota, same states.")
        before = _states(simulator)
        say(f"Before: {_counts(before)}\n")
        with temporary_folder("demo") as folder:
            say("$ bulk-esm pause --all --yes")
            paused = await _pause(folder)
            meanwhile = _states(simulator)
            say(f"\nPaused: {_counts(meanwhile)}\n")
            say("$ bulk-esm resume --run last --yes")
            await _resume(paused, folder)
        after = _states(simulator)
    say(f"\nResumed: {_counts(after)} (and the demo's run folders are gone with it)")
    if after != before or set(meanwhile.values()) != {str(State.DISABLED)}:
        say("That is not the fleet of before: please report this.")
        return 1
    was_off = sum(state == State.DISABLED for state in before.values())
    say(
        f"Exactly the {mappings - was_off:,} mappings that were enabled are enabled again; {was_off:,} were left alone."
    )
    return 0


async def _pause(runs_dir: Path) -> RunFiles:
    from bulk_esm.api import connect
    from bulk_esm.model.change import Change
    from bulk_esm.model.records import Intent
    from bulk_esm.model.selection import Selection
    from bulk_esm.runs.planning import PlanContext

    async with connect(max_per_second=_RATE, runs_dir=runs_dir) as bulk:
        context = PlanContext(intent=Intent(command="pause"))
        plan = await bulk.plan(Selection(all=True), Change({"Enabled": False}), context=context)
        return await _carry_out(bulk, plan, "pause")


async def _resume(paused: RunFiles, runs_dir: Path) -> RunFiles:
    from bulk_esm.api import connect
    from bulk_esm.runs.resuming import paused_by_runs

    async with connect(max_per_second=_RATE, runs_dir=runs_dir) as bulk:
        return await _carry_out(bulk, await bulk.plan_resuming(paused_by_runs([paused])), "resume")


async def _carry_out(bulk: BulkEsm, plan: RunPlan, command: str) -> RunFiles:
    from bulk_esm.cli.running import run_to_the_end
    from bulk_esm.cli.summary import pace_of, plan_summary
    from bulk_esm.model.records import Intent

    for line in plan_summary(plan.summary, pace=pace_of(bulk.fleet, plan, [plan.shards])):
        say(line)
    run = bulk.prepare(plan, intent=Intent(command=command))
    await run_to_the_end(bulk, run)
    return run.files


def _states(simulator: Simulator) -> dict[str, str]:
    return {mapping["UUID"]: mapping["State"] for mapping in simulator.snapshot()}


def _counts(states: dict[str, str]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in sorted(Counter(states.values()).items()))
