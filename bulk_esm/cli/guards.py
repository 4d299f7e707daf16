"""What must hold before anything is sent: the account, the alarms, the size, the data, and no other run."""

from __future__ import annotations

from collections.abc import Iterable

from bulk_esm.bulk import BulkEsm
from bulk_esm.cli.durations import format_duration
from bulk_esm.cli.job import Job
from bulk_esm.cli.options import GuardOptions
from bulk_esm.cli.output import tail_of
from bulk_esm.cli.streams import say
from bulk_esm.errors import RefusedError, ServiceError
from bulk_esm.gates.alarm import AlarmGate
from bulk_esm.gates.metrics import WatchSettings
from bulk_esm.model.gating import Inconclusive
from bulk_esm.model.losses import loss_lines, losses, within
from bulk_esm.model.plan import PlanItem
from bulk_esm.runs.metric_gate import metric_gate
from bulk_esm.runs.watched import Watched


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
        reason = answer.reason if isinstance(answer, Inconclusive) else answer
        raise RefusedError(f"{reason}; nothing was sent")


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
        reason = answer.reason if isinstance(answer, Inconclusive) else answer
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
