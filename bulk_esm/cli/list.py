"""`bulk-esm list`: what is there."""

from __future__ import annotations

from typing import Any

import msgspec

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.carry_out import set_up_logs, with_aws
from bulk_esm.cli.fleet_commands import list_fleet
from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.fleet_work import with_fleet
from bulk_esm.cli.inputs import read_selection, reads_stdin
from bulk_esm.cli.options import AwsOptions, OutputOptions, SelectOptions
from bulk_esm.cli.output import Results, Row, form_for, tail_of, with_place
from bulk_esm.cli.streams import say
from bulk_esm.model.mapping import EventSourceMapping, SourceType

_COLUMNS = ("uuid", "function", "source", "type", "state")


class Listed(msgspec.Struct, frozen=True):
    """A line of `bulk-esm list`: what tells a mapping apart, and its whole configuration as Lambda returned it."""

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
    set_up_logs(output)
    reads_stdin(select)
    selection = read_selection(select)
    fleet.check(aws)
    if fleet.is_given:
        results = Results(form_for(output.output), *with_place(_COLUMNS, _row))
        return with_fleet(
            fleet, aws, lambda at_work: list_fleet(at_work, selection, results, _record, quiet=output.quiet)
        )

    async def work(bulk: BulkEsm) -> int:
        inventory = await bulk.list(selection)
        results = Results(form_for(output.output), _COLUMNS, _row)
        results.add_all(map(_record, inventory.mappings))
        results.finish()
        for uuid in inventory.unknown:
            say(f"no event source mapping has the UUID {uuid} in {bulk.region}")
        say(f"{len(inventory.mappings):,} of {inventory.seen:,} mappings in {bulk.region}", quiet=output.quiet)
        return 1 if inventory.unknown else 0

    return with_aws(aws, work)


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
    source = tail_of(listed.event_source_arn)
    return (listed.uuid, tail_of(listed.function_arn), source, listed.source_type, listed.state)
