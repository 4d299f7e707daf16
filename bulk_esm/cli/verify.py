"""`bulk-esm verify RUN`: does the fleet still have what that run set?"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import set_up_logs, with_aws
from bulk_esm.cli.fleet_commands import verify_fleet
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.fleet_work import with_fleet
from bulk_esm.cli.inputs import require_region
from bulk_esm.cli.options import AwsOptions, OutputOptions, RunName, RunsOptions
from bulk_esm.cli.output import Results, Row, form_for, tail_of, with_place
from bulk_esm.cli.streams import say
from bulk_esm.cli.summary import short
from bulk_esm.model.continuing import left_of
from bulk_esm.model.drift import Drift
from bulk_esm.model.records import RunRecord, RunStatus
from bulk_esm.store.finding import find_run
from bulk_esm.store.fleet_folder import FleetFolder
from bulk_esm.store.folder import RunFolder

_COLUMNS: Final = ("uuid", "function", "source", "type", "state", "drift")


def verify_command(
    name: RunName,
    /,
    *,
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Tell whether the mappings still have what a run set: a line for each that does not. Exits with 1 if there is one.

    Example: bulk-esm verify last
    """
    set_up_logs(output)
    folder = find_run(runs.runs_dir, name)
    record = folder.record()
    not_known = _not_known(folder) if record.status is RunStatus.RUNNING else 0
    if not_known:
        say(
            f"{record.run_id} did not end: what became of {not_known:,} mappings is not known, and is left out here; "
            f"finish it first: bulk-esm continue {folder.path}"
        )
    return _verify(folder, record, fleet, aws, output) or (1 if not_known else 0)


def _not_known(folder: RunFolder) -> int:
    """How many mappings a killed run has no result of."""
    there = FleetFolder.of(folder.path)
    shards = [folder] if there is None else [there.shard(name) for name in there.names()]
    return sum(len(left_of(shard.plan().items, shard.results()).updates) for shard in shards)


def _verify(folder: RunFolder, record: RunRecord, fleet: FleetOptions, aws: AwsOptions, output: OutputOptions) -> int:
    if (there := FleetFolder.of(folder.path)) is not None:
        results = Results(form_for(output.output), *with_place(_COLUMNS, _row))
        fleet.check(aws, of_run=True)
        return with_fleet(
            fleet, aws, lambda at_work: verify_fleet(at_work, there, results, quiet=output.quiet), folder=there
        )
    fleet.refuse(record.run_id)

    async def work(bulk: BulkEsm) -> int:
        require_region(bulk, record)
        drifts = await bulk.verify(folder)
        results = Results(form_for(output.output), _COLUMNS, _row)
        results.add_all(drifts)
        results.finish()
        requests = bulk.control_plane.request_counts()
        say(
            f"{len(drifts):,} mappings do not have what {record.run_id} set "
            f"({requests['list'] + requests['get']:,} requests)",
            quiet=output.quiet,
        )
        return 1 if drifts else 0

    return with_aws(replace(aws, region=aws.region or record.region), work)


def _row(drift: Drift) -> Row:
    found = [f"{one.parameter}: {short(one.found)}, not {short(one.expected)}" for one in drift.differences]
    what = "; ".join(found) if drift.problem is None else drift.problem
    function, source = tail_of(drift.function_arn), tail_of(drift.event_source_arn)
    return (drift.uuid, function, source, drift.source_type, drift.state or "-", what)
