"""`bulk-esm resume`: enable mappings, or just those that a run paused."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from bulk_esm.api import BulkEsm
from bulk_esm.cli.carry_out import Planned, carry_out, refuse_before_sending, set_up_logs, with_aws
from bulk_esm.cli.inputs import read_selection, reads_stdin, require_selection
from bulk_esm.cli.options import AwsOptions, OutputOptions, RunOptions, RunsOptions, SelectOptions
from bulk_esm.cli.plan import tell_of_transition
from bulk_esm.cli.streams import say
from bulk_esm.errors import RefusedError, UsageError
from bulk_esm.model.change import Change
from bulk_esm.model.result import Outcome
from bulk_esm.model.resuming import paused_by
from bulk_esm.model.selection import Selection
from bulk_esm.runs.folder import RunFolder
from bulk_esm.runs.store import find_run, run_folders


def resume_command(
    *,
    select: SelectOptions = SelectOptions(),
    run_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--run", help="RUN that paused them: its path, its id, a prefix of it, or last. May be repeated."
        ),
    ] = (),
    run: RunOptions = RunOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Enable mappings. With --run only what that run paused: what was disabled before it stays so.

    Example: bulk-esm resume --run last
    """
    set_up_logs(output)
    stdin_is_data = reads_stdin(select)
    if run_ and select != SelectOptions():
        raise UsageError("--run says which mappings; it goes without the flags that select")
    folders = [find_run(runs.runs_dir, name) for name in run_]
    if folders:
        account_id, region = _place_of(folders)
        selection = Selection(uuids=frozenset().union(*map(_paused, folders)))
        aws = replace(aws, region=aws.region or region)
        if not selection.uuids:
            say(f"{', '.join(run_)} paused no mapping, so there is nothing to resume", quiet=output.quiet)
            return 0
    else:
        account_id = region = None
        selection = read_selection(select)
        require_selection(selection)
    refuse_before_sending(run, runs, stdin_is_data=stdin_is_data)

    async def work(bulk: BulkEsm) -> int:
        if region not in (None, bulk.region):
            raise RefusedError(f"{', '.join(run_)} paused mappings in {region}, not in {bulk.region}")
        plan = await bulk.plan(selection, Change({"Enabled": True}), waiting=tell_of_transition)
        bulk.require_account(account_id)
        for folder in still_paused(run_folders(runs.runs_dir), selection.uuids, account_id, region) if folders else ():
            say(f"note: {folder.path.name} paused more, and nothing has resumed that: add --run {folder.path.name}")
        return await carry_out(bulk, Planned(plan), command="resume", run_options=run, runs=runs, output=output)

    return with_aws(aws, work)


def _place_of(folders: list[RunFolder]) -> tuple[str | None, str]:
    for folder in folders:
        if folder.record().command != "pause" and not _paused(folder):
            raise UsageError(f"{folder.path.name} did not pause anything; `bulk-esm runs` shows which run did")
    places = {(record.account_id, record.region) for record in (folder.record() for folder in folders)}
    if len(places) > 1:
        raise UsageError("these runs are of several accounts or Regions; resume one after another")
    return places.pop()


def _paused(folder: RunFolder) -> frozenset[str]:
    return paused_by(folder.plan().items, folder.results())


def still_paused(
    folders: list[RunFolder], resumed: frozenset[str], account_id: str | None, region: str | None
) -> list[RunFolder]:
    """The runs that paused mappings which neither a later run nor this one resumes.

    Args:
        folders: all runs, the oldest first.
        resumed: the UUIDs that are being resumed.
        account_id: the account that this is about.
        region: the Region.
    """
    pausing: dict[str, RunFolder] = {}
    for folder in folders:
        record = folder.record()
        if (record.account_id, record.region) == (account_id, region):
            pausing.update(dict.fromkeys(_paused(folder), folder))
            for result in folder.results():
                if result.request.get("Enabled") is True and result.outcome is Outcome.UPDATED:
                    pausing.pop(result.uuid, None)
    left = [folder for uuid, folder in pausing.items() if uuid not in resumed]
    return [folder for folder in folders if folder in left]
