"""What a fleet spends: as little as a single account and Region, since what planning saw is not forgotten."""

import os
from pathlib import Path
from unittest.mock import patch

from engine_world import MODELS, STARTED_AT, in_virtual_time, virtual_clock

from bulk_esm.executors.local import LocalExecutor
from bulk_esm.executors.tasks import PlanChange, Reach
from bulk_esm.executors.worker import Worker
from bulk_esm.model.change import Change
from bulk_esm.model.records import Intent
from bulk_esm.model.selection import Selection
from bulk_esm.model.shard import Shard
from bulk_esm.runs.fleet import Fleet
from bulk_esm.runs.planning import plan_run
from bulk_esm.runs.run import FleetRun
from bulk_esm.simulator import Simulator, make_fleet

ACCOUNT = "123456789012"
REGIONS = ("us-east-1", "eu-west-1", "us-west-2")
EACH = 300


@in_virtual_time
async def test_requests_a_mapping(tmp_path: Path) -> None:
    clock = virtual_clock()
    fleets = {
        (ACCOUNT, region): make_fleet(EACH, account_id=ACCOUNT, region=region, disabled_share=0.0) for region in REGIONS
    }
    async with Simulator(
        clock=clock.monotonic, epoch=STARTED_AT.timestamp(), fleets=fleets, fleet=fleets[ACCOUNT, REGIONS[0]]
    ) as there:
        with (
            patch.dict(os.environ, there.environment),
            patch("botocore.session.create_loader", lambda *_: MODELS),
        ):
            async with Worker(clock=clock) as worker:
                shards = tuple(Shard(account_id=ACCOUNT, region=region) for region in REGIONS)
                fleet = Fleet(shards=shards, executor=LocalExecutor(worker, at_once=10), reach=Reach(), clock=clock)
                intent = Intent(command="pause")
                change = PlanChange.of(Selection(all=True), Change({"Enabled": False}))
                with await plan_run(fleet, lambda _: change, runs_dir=tmp_path, intent=intent) as plan:
                    plan.publish(intent, [shards], None)
                    record = await FleetRun(fleet, plan.folder).carry_out()
        assert record.counts == {"updated": EACH * len(REGIONS)}
        sent = sum(there.report().count(kind) for kind in ("list", "get", "update"))
        assert sent == sum(record.requests[kind] for kind in ("list", "get", "update"))
        assert sent / (EACH * len(REGIONS)) <= 1.25
        assert there.report().count(status=429) == 0
