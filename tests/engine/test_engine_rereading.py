"""A look before sending, without permission to Get: List is believed where its stamp is later than the plan's."""

from engine_world import in_virtual_time, world

from bulk_esm.engine.rereading import reread
from bulk_esm.model.change import Change
from bulk_esm.model.result import Outcome
from bulk_esm.model.selection import Selection
from bulk_esm.simulator import Faults, make_fleet

NO_GET = Faults(denied_actions=frozenset({"lambda:GetEventSourceMapping"}))


@in_virtual_time
async def test_without_get_only_a_later_stamp_contradicts() -> None:
    async with world(fleet=make_fleet(8, disabled_share=0.0).mappings) as (simulator, home):
        plan = await home.plan(Selection(all=True), Change({"Enabled": False}))
        later, same = (item.uuid for item in plan.items if item.source_type in {"sqs", "mq"})
        simulator.change_behind(later, BatchSize=5)
        simulator.change_behind(same, BatchSize=5, LastModified=simulator.get(same)["LastModified"])
        updates = {item.uuid: item for item in plan.items}
        found = await reread(home.control_plane, updates, in_doubt=False)
        assert {uuid: ending.outcome for uuid, ending in found.items()} == dict.fromkeys(
            (later, same), Outcome.CONFLICT
        )

        simulator.set_faults(NO_GET)
        found = await reread(home.control_plane, updates, in_doubt=False)
        assert {uuid: ending.outcome for uuid, ending in found.items()} == {later: Outcome.CONFLICT}
        assert await reread(home.control_plane, {later: updates[later]}, in_doubt=False) == {}  # by Get alone
