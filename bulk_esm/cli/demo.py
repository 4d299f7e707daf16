"""`bulk-esm demo`: a fleet paused and resumed, start to end, on the simulator in this very process."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter

from bulk_esm.api import connect
from bulk_esm.cli.conduct import SingleConduct
from bulk_esm.cli.running import run_to_the_end
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import Pace, plan_summary
from bulk_esm.errors import UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import State
from bulk_esm.model.records import Intent
from bulk_esm.model.resuming import paused_by
from bulk_esm.model.selection import Selection
from bulk_esm.simulator import Simulator
from bulk_esm.store.folder import RunFolder

_SPEED = 20.0
_RATE = 12.0 * _SPEED  # the default, at the simulator's speed


def demo_command(*, mappings: Annotated[int, Parameter(help="Mappings in the simulated fleet.")] = 2000) -> int:
    """Pause and resume a simulated fleet, start to end. Nothing outside this process is touched.

    Example: bulk-esm demo
    """
    if mappings < 1:
        raise UsageError(f"--mappings is at least 1, not {mappings}")
    return anyio.run(_demo, mappings)


async def _demo(mappings: int) -> int:
    async with Simulator(mappings=mappings, speed=_SPEED, seed=1) as simulator:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)  # the fleet is simulated, and so are the credentials
        # Neither a proxy nor a switch that turns endpoints off may lead elsewhere.
        os.environ.pop("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", None)
        os.environ.update(simulator.environment | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})
        say(f"A simulated Lambda control plane, {_SPEED:g} times as fast as the real one: same quota, same states.")
        before = _states(simulator)
        say(f"Before: {_counts(before)}\n")
        with tempfile.TemporaryDirectory(prefix="bulk-esm-demo-") as folder:
            say("$ bulk-esm pause --all --yes")
            paused = await _carry_out(Selection(all=True), enabled=False, runs_dir=Path(folder))
            meanwhile = _states(simulator)
            say(f"\nPaused: {_counts(meanwhile)}\n")
            say("$ bulk-esm resume --run last --yes")
            selection = Selection(uuids=paused_by(paused.plan().items, paused.results()))
            await _carry_out(selection, enabled=True, runs_dir=Path(folder))
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


async def _carry_out(selection: Selection, *, enabled: bool, runs_dir: Path) -> RunFolder:
    async with connect(max_per_second=_RATE) as bulk:
        plan = await bulk.plan(selection, Change({"Enabled": enabled}))
        for line in plan_summary(plan.items, pace=Pace.of(len(plan.updates), _RATE)):
            say(line)
        run = bulk.prepare(plan, runs_dir=runs_dir, intent=Intent(command="resume" if enabled else "pause"))
        await run_to_the_end(SingleConduct(bulk, run))
        return run.folder


def _states(simulator: Simulator) -> dict[str, str]:
    return {mapping["UUID"]: mapping["State"] for mapping in simulator.snapshot()}


def _counts(states: dict[str, str]) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in sorted(Counter(states.values()).items()))
