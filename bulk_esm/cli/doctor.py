"""`bulk-esm doctor`: can this job be done here?"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import Parameter

from bulk_esm.cli.fleet_options import FleetOptions
from bulk_esm.cli.options import (
    AwsOptions,
    ChangeOptions,
    GuardOptions,
    OutputOptions,
    RunOptions,
    RunsOptions,
    SelectOptions,
    WaveOptions,
)
from bulk_esm.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulk_esm.cli.output import Row
    from bulk_esm.doctor.examination import JobNeeds
    from bulk_esm.model.checks import Check

T = TypeVar("T")
_Unused = Annotated[T, Parameter(show=False)]  # taken, and of no use here

_MOST_IN_FULL = 5  # shards of which a table shows what is well, too


def doctor_command(
    *,
    select: SelectOptions = SelectOptions(),
    change: _Unused[ChangeOptions] = ChangeOptions(),  # noqa: ARG001 - so that the line of a job can be pasted
    run: _Unused[RunOptions] = RunOptions(),  # noqa: ARG001 - likewise
    waves: WaveOptions = WaveOptions(),
    guards: GuardOptions = GuardOptions(),
    fleet: FleetOptions = FleetOptions(),
    aws: AwsOptions = AwsOptions(),
    runs: RunsOptions = RunsOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Tell whether a job can be done here: credentials, permissions, store, clock, quota. Takes the flags of the job.

    Changes nothing, and takes three requests of Lambda's quota in each account and Region. Exits with 0 where all is
    well, 1 where it will work, with warnings, and 5 where it cannot.

    Example: bulk-esm doctor --function 'orders-*' --rate auto
    """
    import anyio

    from bulk_esm.cli.opening import interruptible
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.doctor.examination import examine
    from bulk_esm.model.checks import exit_code_of, lacking

    set_up_logs(output)
    needs = _needs(select, waves, guards, fleet, aws, runs)
    shown = _Shown(output.output, has_shards=needs.fleet is not None)
    code = 0

    async def main() -> int:
        nonlocal code
        requests = await examine(needs, told=shown.told)
        code = exit_code_of(shown.checks, most_failed_shards=fleet.max_failed_shards)
        shown.finish()
        _sum_up(shown.checks, code, requests, quiet=output.quiet)
        return code

    done = anyio.run(interruptible, main)
    if missing := lacking(shown.checks):
        say(f"what is missing, or may be, as a policy:\n{_policy_text(missing)}", quiet=output.quiet)
    return done


def _needs(
    select: SelectOptions,
    waves: WaveOptions,
    guards: GuardOptions,
    fleet: FleetOptions,
    aws: AwsOptions,
    runs: RunsOptions,
) -> JobNeeds:
    """What the flags come to, checked before anything is sent."""
    from bulk_esm.aws.session import ConnectionSettings
    from bulk_esm.cli.hours import Hours
    from bulk_esm.cli.job import refuse_no_account, refuse_watches
    from bulk_esm.cli.opening import AUTO, check_reach, home_region_of
    from bulk_esm.cli.places import place_for
    from bulk_esm.doctor.examination import JobNeeds
    from bulk_esm.doctor.shard import ShardNeeds

    Hours.read(guards.deadline, guards.window, calendars=waves.calendar)
    refuse_no_account(guards)
    refuse_watches(waves.watch)
    check_reach(aws)
    fleet = fleet.checked(aws)
    home = ConnectionSettings(
        region=home_region_of(aws, fleet),
        profile=aws.profile,
        endpoint_url=aws.endpoint_url,
        max_per_second=aws.reach.max_per_second,
    )
    return JobNeeds(
        home=home,
        fleet=fleet.settings(aws.profile) if fleet.is_given else None,
        place=place_for(runs, aws),
        shard=ShardNeeds(
            tags=bool(select.tag or select.function_tag),
            rate=None if aws.rate == AUTO else home.max_per_second,
            watches=bool(waves.watch),
        ),
        alarms=waves.alarm,
        shard_alarms=waves.shard_alarm,
        calendars=waves.calendar,
        expected_account=guards.expect_account,
        scheduler=fleet.scheduler,
        at_once=fleet.shards_at_once,
    )


class _Shown:
    """What stands on stdout."""

    def __init__(self, chosen: Literal["table", "json", "jsonl", "csv"] | None, *, has_shards: bool) -> None:
        from bulk_esm.cli.output import Results, form_for

        self.checks: list[Check] = []
        self._form = form_for(chosen)
        as_table = self._form == "table"
        columns = (
            "check",
            *(("shard",) if has_shards else ()),
            "verdict",
            "detail",
            *(() if as_table else ("advice",)),
        )
        self._results = Results(
            self._form, columns, lambda check: _row(check, has_shards=has_shards, as_table=as_table)
        )

    def told(self, check: Check) -> None:
        """Take one check."""
        self.checks.append(check)
        if self._form != "table":
            self._results.add(check)

    def finish(self) -> None:
        """Write what is written at the end."""
        from bulk_esm.model.checks import Verdict

        if self._form == "table":
            in_full = len({check.shard for check in self.checks} - {None}) <= _MOST_IN_FULL
            ordered = sorted(self.checks, key=lambda check: check.shard or "")
            is_shown = [one for one in ordered if in_full or one.shard is None or one.verdict is not Verdict.OK]
            self._results.add_all(is_shown)
        self._results.finish()
        if self._form == "table" and sys.stdout.isatty():  # where it may have been too narrow for what there is to do
            for check in self.checks:
                if check.verdict is not Verdict.OK:
                    where = f" in {check.shard}" if check.shard else ""
                    say(f"{check.verdict}: {check.what}{where}: {_in_full(check)}")


def _row(check: Check, *, has_shards: bool, as_table: bool) -> Row:
    where = (check.shard or "-",) if has_shards else ()
    if as_table:  # in one column, which so has room on a terminal
        return (check.what, *where, check.verdict, _in_full(check))
    return (check.what, *where, check.verdict, check.detail, check.advice or "-")


def _in_full(check: Check) -> str:
    return check.detail if check.advice is None else f"{check.detail}. To do: {check.advice}"


def _sum_up(checks: Sequence[Check], code: int, requests: int, *, quiet: bool) -> None:
    said = {0: "it can be done here", 1: "it will work, with warnings"}.get(code, "it cannot be done here")
    counts = Counter(str(check.verdict) for check in checks)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    took = f"{requests} request{'' if requests == 1 else 's'}"
    say(f"{said}: {verdicts} (took {took} of Lambda's quota, and changed no mapping)", quiet=quiet)


def _policy_text(missing: list[tuple[str, str]]) -> str:
    import json

    from bulk_esm.model.permissions import policy

    return json.dumps(policy(missing), indent=2)
