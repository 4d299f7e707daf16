"""What one run changed of late is not believed of List by the next one, however that goes on."""

from pathlib import Path

from api_world import EVERYTHING, PAUSE, connected
from engine_world import in_virtual_time, queues

from bulk_esm import Change, Intent, Outcome, RolloutSettings, RunStatus
from bulk_esm.gates.gate import WaveEnd
from bulk_esm.simulator import Faults

LAG_S = 900.0


class Halting:
    """A gate that halts after the first wave."""

    async def check(self, end: WaveEnd | None) -> str | None:
        return None if end is None or end.stage == "before" else "enough"


@in_virtual_time
async def test_a_run_that_goes_on_reads_by_get_what_the_run_before_it_changed(tmp_path: Path) -> None:
    lags = Faults(list_lag_s=LAG_S)
    async with connected(runs_dir=tmp_path, fleet=queues(12), faults=lags, timeout_s=30.0) as (simulator, bulk):
        await bulk.apply(await bulk.plan(EVERYTHING, PAUSE))
        # The second wave does not begin, so nothing was sent to its mappings, and no Get is due for that.
        waves = Intent(command="resume", rollout=RolloutSettings(waves=("1", "100%")))
        resuming = bulk.prepare(await bulk.plan(EVERYTHING, Change({"Enabled": True})), intent=waves)
        record = await resuming.carry_out(gates=[Halting()])
        assert (record.status, record.counts) == (RunStatus.HALTED, {Outcome.UPDATED: 1, Outcome.NOT_STARTED: 11})
        # List still shows those as they were before the pause, and so as they are to be.
        rest = await bulk.plan_rest(resuming.files)
        assert rest.to_send == 11
        record = await rest.begin().carry_out()
        assert (record.status, record.counts) == (RunStatus.FINISHED, {Outcome.UPDATED: 12})
        assert {mapping["State"] for mapping in simulator.snapshot()} == {"Enabled"}
        assert {mapping.accepted_count for mapping in simulator.report().mappings} == {2}
