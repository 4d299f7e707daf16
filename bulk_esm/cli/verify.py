"""`bulk-esm verify RUN`: does the fleet still have what that run set?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bulk_esm.cli.fleet_options import RunFleetOptions
from bulk_esm.cli.options import AwsOptions, OutputOptions, RunName, RunsOptions
from bulk_esm.cli.streams import say

if TYPE_CHECKING:
    from bulk_esm.bulk import BulkEsm
    from bulk_esm.cli.output import Row
    from bulk_esm.executors.tasks import ShardEnd
    from bulk_esm.model.drift import Drift
    from bulk_esm.model.shard import Shard
    from bulk_esm.store.run_files import RunFiles

_COLUMNS: Final = ("uuid", "function", "source", "type", "state", "drift")


def verify_command(
    name: RunName,
    /,
    *,
    fleet: RunFleetOptions = RunFleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Tell whether the mappings still have what a run set: a line for each that does not. Exits with 1 if there is one.

    Example: bulk-esm verify last
    """
    from bulk_esm.cli.damages import tell_of_damages
    from bulk_esm.cli.exit_codes import exit_code
    from bulk_esm.cli.looking import looking
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.output import Results, form_for, with_place
    from bulk_esm.cli.places import place_for
    from bulk_esm.cli.run_text import run_argument
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.cli.shards_text import failed_lines, places_text, problems_of
    from bulk_esm.model.parameters import STREAMS
    from bulk_esm.model.records import RunStatus
    from bulk_esm.store.finding import find_run

    set_up_logs(output)
    files = find_run(place_for(runs, aws), name, salvage=runs.salvage)
    record = files.record()
    fleet = fleet.of_run(record.run_id, has_shards=files.has_shards)
    not_known = _not_known(files) if record.status is RunStatus.RUNNING else 0
    if not_known:
        say(
            f"{record.run_id} did not end: what became of {not_known:,} mappings is not known, and is left out here; "
            f"finish it first: bulk-esm continue {run_argument(files)}"
        )

    async def work(bulk: BulkEsm) -> int:
        columns = with_place(_COLUMNS, _row) if bulk.fleet.is_named else (_COLUMNS, _row)
        results = Results(form_for(output.output), *columns)
        async with looking(bulk, quiet=output.quiet, mappings=sum(1 for _ in files.items())) as look:

            def told(_shard: Shard, end: ShardEnd) -> None:
                look.shards += 1
                with look.display.hidden():
                    results.add_all(end.drifts)

            found = await bulk.verify(files, told=told)
        results.finish()
        tell_of_damages([files])
        for line in failed_lines(bulk, found.problems):
            say(line)
        where = f"{places_text(bulk)}, " if bulk.fleet.is_named else ""
        what = f"{len(found.drifts):,} mappings do not have what {record.run_id} set"
        say(f"{what} ({where}{found.requests:,} requests)", quiet=output.quiet)
        if any(item.source_type in STREAMS and "Enabled" in item.request for item in files.items()):
            what = "the state of Kinesis and DynamoDB streams is no sign of traffic: polling follows 40 to 75 s later"
            say(f"note: {what}", quiet=output.quiet)
        code = exit_code(None, problems_of(bulk, found.problems))
        return code or (1 if found.drifts or not_known else 0)

    return with_bulk(aws, fleet, work, files=files)


def _not_known(files: RunFiles) -> int:
    """How many mappings a killed run has no result of."""
    from bulk_esm.model.continuing import left_of

    shards = [files.shard(shard) for shard in files.planned()]
    return sum(len(left_of(shard.plan().items, shard.results()).updates) for shard in shards)


def _row(drift: Drift) -> Row:
    from bulk_esm.cli.output import tail_of
    from bulk_esm.model.values import short

    found = [f"{one.parameter}: {short(one.found)}, not {short(one.expected)}" for one in drift.differences]
    what = "; ".join(found) if drift.problem is None else drift.problem
    function, source = tail_of(drift.function_arn), tail_of(drift.event_source_arn)
    return (drift.uuid, function, source, drift.source_type, drift.state or "-", what)
