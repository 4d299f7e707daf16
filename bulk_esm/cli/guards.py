"""What must hold before anything is sent: the account, the alarms, the size, the data, and no other run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.job import Job
from bulk_esm.cli.options import GuardOptions
from bulk_esm.cli.output import tail_of
from bulk_esm.cli.streams import say
from bulk_esm.errors import AccessError, RefusedError, ServiceError, UsageError
from bulk_esm.gates.alarm import AlarmGate, answer_to
from bulk_esm.gates.metrics import WatchSettings
from bulk_esm.model.calendars import CalendarState, closed
from bulk_esm.model.losses import loss_lines, losses, within
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.rollout import RolloutSettings
from bulk_esm.model.shard import Shard
from bulk_esm.model.stopping import in_shards
from bulk_esm.runs.metric_gate import metric_gate
from bulk_esm.runs.watched import Watched

_MOST_SHARDS: Final = 10  # that are named of those which lack an alarm


async def check_account(bulk: BulkEsm, guards: GuardOptions) -> None:
    """Refuse credentials of another account than `--expect-account`.

    Raises:
        RefusedError: they are.
        AccessError: they are refused.
    """
    if guards.expect_account is not None and (here := await bulk.account_id()) != guards.expect_account:
        raise RefusedError(
            f"these credentials are of account {here}, not of {guards.expect_account} (--expect-account)"
        )


async def check_alarms(bulk: BulkEsm, alarms: tuple[str, ...]) -> None:
    """Refuse to begin while an alarm is in ALARM, or one that is not there.

    Raises:
        UsageError: no alarm has that name.
        RefusedError: one is in ALARM, or they cannot be read.
    """
    if not alarms:
        return
    try:
        await bulk.alarms(alarms)  # a name that no alarm has is the user's mistake
    except ServiceError as error:
        raise RefusedError(f"--alarm: the alarms cannot be read: {error}; nothing was sent") from error
    answer = await AlarmGate(alarms, bulk.alarms, say).check(None)
    if answer is not None:
        reason = answer if isinstance(answer, str) else answer.reason
        raise RefusedError(f"{reason}; nothing was sent")


async def check_shard_alarms(bulk: BulkEsm, alarms: tuple[str, ...], shards: Sequence[Shard]) -> None:
    """Refuse to begin while an alarm of one of the shards is in ALARM, whatever it would halt, or is not there.

    Raises:
        UsageError: in some shards no alarm has that name.
        RefusedError: one is in ALARM, or they cannot be read.
    """
    if not alarms:
        return
    found = await bulk.shard_alarms(alarms, shards)
    missing = {name: str(one) for name, one in found.items() if isinstance(one, UsageError)}
    if missing:
        raise UsageError(f"{in_shards(missing, shards=len(found), most=_MOST_SHARDS)}; nothing was sent")
    answers = {name: answer_to(one) for name, one in found.items()}
    reasons = {name: answer if isinstance(answer, str) else answer.reason for name, answer in answers.items() if answer}
    if reasons:
        raise RefusedError(f"{in_shards(reasons, shards=len(found))}; nothing was sent")


async def check_gates(
    bulk: BulkEsm, settings: RolloutSettings, *, shards: Sequence[Shard], calendars: Iterable[CalendarState]
) -> None:
    """Refuse to begin where a calendar or an alarm would halt the run.

    Args:
        bulk: the shards, and where all starts from.
        settings: the run's.
        shards: those in which something is updated.
        calendars: how they stand.

    Raises:
        UsageError: an alarm is not there.
        RefusedError: one is in ALARM, or they cannot be read, or a calendar is CLOSED.
    """
    check_calendars(calendars)
    await check_alarms(bulk, settings.alarms)
    await check_shard_alarms(bulk, settings.shard_alarms, shards)


async def look_at_calendars(bulk: BulkEsm, names: tuple[str, ...], *, dry_run: bool) -> Sequence[CalendarState]:
    """How the calendars stand that must be open.

    Raises:
        UsageError: there is no such calendar.
        RefusedError: they cannot be read.
    """
    if not names:
        return ()
    try:
        return await bulk.calendars(names)
    except (AccessError, ServiceError) as error:
        what = f"--calendar: the calendars cannot be read: {error}"
        if not dry_run:
            raise RefusedError(f"{what}; nothing was sent") from error
        say(f"warning: {what}; the run itself would be refused")
        return ()


def check_calendars(states: Iterable[CalendarState]) -> None:
    """Refuse to begin while a calendar is CLOSED.

    Raises:
        RefusedError: one is.
    """
    if (found := closed(states)) is not None:
        raise RefusedError(f"{found.reason}; nothing was sent")


async def check_watches(bulk: BulkEsm, watched: Watched) -> None:
    """Refuse to begin where what is watched cannot be read, or does not hold.

    Args:
        bulk: the shards.
        watched: what is watched, and who would be changed.

    Raises:
        RefusedError: it cannot be, or does not.
    """
    if not watched.watches:
        return
    settings = WatchSettings(began_at=bulk.fleet.clock.now())
    answer = await metric_gate(bulk.home, bulk.fleet, watched, settings, tell=say).check(None)
    if answer is not None:
        reason = answer if isinstance(answer, str) else answer.reason
        raise RefusedError(f"{reason}; nothing was sent")


def check_size(job: Job, *, updates: int, seen: int) -> None:
    """Refuse a plan that updates more than `--max-targets`, or fewer than `--min-targets`.

    Raises:
        RefusedError: it does.
    """
    most = job.most_targets(seen=seen)
    if most is not None and updates > most:
        raise RefusedError(
            f"{updates:,} mappings would be updated, of {seen:,} seen, and at most {most:,} may (--max-targets "
            f"{job.guards.max_targets}); narrow the selection"
        )
    least = job.least_targets(seen=seen)
    if updates < least:
        raise RefusedError(
            f"{updates:,} mappings would be updated, of {seen:,} seen, and at least {least:,} must (--min-targets "
            f"{job.guards.min_targets}); nothing was sent"
        )


def check_losses(items: Iterable[PlanItem], job: Job) -> None:
    """Warn of what a pause can cost, and refuse one that is longer than some mappings can take.

    Raises:
        RefusedError: data would be lost, and that was not accepted.
    """
    found = losses(items)
    if not found:
        return
    say("data that is lost if the pause takes too long, as far as the API tells:", quiet=job.output.quiet)
    for line in loss_lines(found):
        say(line, quiet=job.output.quiet)
    lost = within(found, job.paused_s) if job.paused_s else []
    if lost and not job.accept_data_loss:
        what = f"{len(lost):,} mappings lose data within {format_duration(job.paused_s)}"
        say(f"{what}, such as {lost[0][0].uuid} ({tail_of(lost[0][0].function_arn)}):")
        for line in loss_lines(lost):
            say(line)
        raise RefusedError(
            f"{what}: leave them out with --skip-data-loss, pause for less, or say --accept-data-loss; nothing was sent"
        )
