"""From option groups and the files that they name to a selection and a change; all of it checked before any request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.input_files import records_of, uuid_in, without_uuid
from bulk_esm.cli.options import SOURCE_TYPES, ChangeOptions, SelectOptions
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.mapping import State
from bulk_esm.model.records import RunRecord
from bulk_esm.model.selection import Selection
from bulk_esm.model.uuids import is_beginning, is_whole, read_uuid, the_only_one
from bulk_esm.shards.document import read_document


def require_region(bulk: BulkEsm, record: RunRecord) -> None:
    """Refuse another Region than a run's.

    Raises:
        RefusedError: it is.
    """
    if bulk.region != record.region:
        raise RefusedError(f"{record.run_id} is a run in {record.region}, not in {bulk.region}")


def read_selection(options: SelectOptions, requests: dict[str, Change] | None = None) -> Selection:
    """Make the selection.

    Raises:
        UsageError: a flag or a file that makes no sense.
    """
    uuids = [read_uuid(uuid, "--uuid") for uuid in options.uuid]
    for name in options.from_file:
        uuids += _uuids_from(name)
    if options.from_file and not uuids:
        raise UsageError(f"--from-file {options.from_file[0]}: names no mapping, so nothing is selected")
    if requests is not None:
        named = {the_only_one(uuid, requests, "--uuid") if is_beginning(uuid) else uuid for uuid in uuids}
        uuids = [uuid for uuid in requests if not named or uuid in named]
        if not uuids:
            raise UsageError("--requests and the other flags have no mapping in common, so nothing is selected")
    states = {state.casefold(): str(state) for state in State}
    return Selection(
        all=options.all_,
        functions=options.function,
        exclude=options.exclude,
        sources=options.source,
        source_types=tuple(SOURCE_TYPES[name] for name in options.source_type),
        states=tuple(states.get(state.casefold(), state) for state in options.state),
        tags=options.tag,
        function_tags=options.function_tag,
        where=options.where,
        uuids=frozenset(uuids),
    )


def require_selection(selection: Selection) -> None:
    """Refuse to select everything by saying nothing.

    Raises:
        UsageError: nothing says what to select.
    """
    if selection.is_empty:
        raise UsageError("nothing is selected: name mappings (--function, --source, --state, ...), or say --all")


def read_change(options: ChangeOptions) -> Change | dict[str, Change]:
    """Make the change: one for all mappings, or with `--requests` each mapping's own, by UUID.

    Raises:
        UsageError: an empty or impossible change, or a file that makes no sense.
    """
    if options.requests is None:
        document = _read_document(options.change) if options.change else None
        return Change.parse(options.set_, options.unset, document, allow_unknown=options.allow_unknown)
    if options.set_ or options.unset or options.change:
        raise UsageError("--requests says what to change for each mapping; it goes without --set, --unset and --change")
    changes: dict[str, Change] = {}
    for where, request in records_of(options.requests, "--requests"):
        if not isinstance(request, dict):
            what = "not a JSON object" if isinstance(request, list | int | float | bool | None) else "not JSON"
            raise UsageError(f'{where}: {what}, such as {{"UUID": "...", "BatchSize": 5}}')
        if "EventSourceMappingArn" in request:
            what = "that is what a mapping is, not what to change of it"
            raise UsageError(f"{where}: {what}; select with --from-file, and say the change with --set")
        uuid = check_uuid(uuid_in(request), where)
        if uuid in changes:
            raise UsageError(f"{where}: mapping {uuid} is named a second time; one request for each")
        try:
            changes[uuid] = Change.parse(document=without_uuid(request), allow_unknown=options.allow_unknown)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    if not changes:
        raise UsageError(f"--requests {options.requests}: an empty change; it holds no request")
    return changes


def check_uuid(text: Any, where: str) -> str:
    """Read a mapping's identifier, or the ARN that ends in it.

    Raises:
        UsageError: it is neither.
    """
    if not isinstance(text, str):
        raise UsageError(f"{where}: a UUID is missing")
    uuid = text.strip().rpartition(":event-source-mapping:")[2].lower()
    if not is_whole(uuid):
        raise UsageError(f"{where}: {text!r} is not a mapping's UUID (36 characters) or ARN")
    return uuid


def reads_stdin(select: SelectOptions, requests: str | None = None) -> bool:
    """Whether standard input is data, so that no question can be answered there.

    Raises:
        UsageError: it would have to be read twice.
    """
    times = [*select.from_file, requests].count("-")
    if times > 1:
        raise UsageError("standard input (-) can be read only once")
    return times == 1


def _uuids_from(name: str) -> list[str]:
    return [
        check_uuid(uuid_in(record) if isinstance(record, dict) else record, where)
        for where, record in records_of(name, "--from-file")
    ]


def _read_document(path: Path) -> dict[str, Any]:
    """Read a file of parameters; JSON is YAML too, so only TOML needs telling apart."""
    found = read_document(path, f"--change {path}")
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise UsageError(f"--change {path}: not an object of parameters, such as BatchSize: 100")
    return found
