"""`bulk-esm list`: what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import AwsOptions, OutputOptions, SelectOptions
from bulk_esm.cli.streams import say
from bulk_esm.model.mapping import EventSourceMapping, SourceType

if TYPE_CHECKING:
    from bulk_esm.bulk import BulkEsm
    from bulk_esm.cli.output import Row
    from bulk_esm.executors.tasks import ShardEnd
    from bulk_esm.model.shard import Shard

_COLUMNS = ("uuid", "function", "source", "type", "state")


class Listed(msgspec.Struct, frozen=True):
    """A line of `bulk-esm list`: what tells a mapping apart, and its whole configuration as Lambda returned it.

    Attributes:
        uuid: the mapping.
        function_arn: its function.
        event_source_arn: its source, or None where it has no ARN.
        source_type: the kind of source.
        state: as read.
        configuration: all that Lambda returned.
    """

    uuid: str
    function_arn: str | None
    event_source_arn: str | None
    source_type: SourceType
    state: str
    configuration: dict[str, Any]


def list_command(
    *,
    select: SelectOptions = SelectOptions(),
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Show the mappings that are there; without a selection all of them.

    JSON-lines have the whole configuration of each, and can be selected from again with --from-file.

    Example: bulk-esm list --function 'orders-*' --state Enabled
    """
    from bulk_esm.cli.exit_codes import exit_code
    from bulk_esm.cli.inputs import read_selection, reads_stdin
    from bulk_esm.cli.looking import looking
    from bulk_esm.cli.opening import with_bulk
    from bulk_esm.cli.output import Results, form_for, with_place
    from bulk_esm.cli.selection_text import unmatched_lines
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.cli.shards_text import failed_lines, places_text, problems_of

    set_up_logs(output)
    reads_stdin(select)
    selection = read_selection(select)
    fleet = fleet.checked(aws)

    async def work(bulk: BulkEsm) -> int:
        columns = with_place(_COLUMNS, _row) if bulk.fleet.is_named else (_COLUMNS, _row)
        results = Results(form_for(output.output), *columns)
        shown = 0

        async with looking(bulk, quiet=output.quiet) as look:

            def told(_shard: Shard, end: ShardEnd) -> None:
                nonlocal shown
                shown += len(end.mappings)
                look.shards += 1
                with look.display.hidden():
                    results.add_all(_record(EventSourceMapping(dict(one))) for one in end.mappings)

            found = await bulk.list(selection, told=told)
        results.finish()
        for line in failed_lines(bulk, found.problems):
            say(line)
        where = f"in {bulk.region}" if not bulk.fleet.is_named else "in any of these shards"
        for uuid in found.unknown:
            say(f"no event source mapping has the UUID {uuid} {where}")
        for line in unmatched_lines(found.unmatched, selected=shown, seen=found.seen):
            say(line)
        say(f"{shown:,} of {found.seen:,} mappings in {places_text(bulk)}", quiet=output.quiet)
        return exit_code(None, problems_of(bulk, found.problems)) or (1 if found.unknown else 0)

    return with_bulk(aws, fleet, work)


def _record(mapping: EventSourceMapping) -> Listed:
    return Listed(
        mapping.uuid,
        mapping.function_arn,
        mapping.event_source_arn,
        mapping.source_type,
        mapping.state,
        mapping.configuration,
    )


def _row(listed: Listed) -> Row:
    from bulk_esm.cli.output import tail_of

    source = tail_of(listed.event_source_arn)
    return (listed.uuid, tail_of(listed.function_arn), source, listed.source_type, listed.state)
