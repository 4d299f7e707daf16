"""Who carries out a run, and when: what its record says of each command that did."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from typing import Final

import msgspec

from bulk_esm._version import __version__
from bulk_esm.model.records import Caller, Invocation, RunRecord, RunStatus
from bulk_esm.model.redacting import redacted

CONTINUE: Final = "continue"


def caller(principal_arn: str | None = None) -> Caller:
    """Who this process works for.

    Args:
        principal_arn: the identity of the credentials, where it is known.
    """
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # as in a container that is started with any number
        user = str(os.geteuid())
    return Caller(user=user, host=socket.gethostname(), principal_arn=principal_arn)


def begun(record: RunRecord, who: Caller, *, configured: Mapping[str, str]) -> RunRecord:
    """The record of a run that its first command is about to carry out.

    Args:
        record: the run's.
        who: who does.
        configured: what was not typed of its command line.
    """
    first = _invocation(record.command, record.argv, record, who, started_at=record.started_at)
    first = msgspec.structs.replace(first, configured=dict(configured))
    members = msgspec.structs.asdict(who)
    return msgspec.structs.replace(record, **members, argv=first.argv, invocations=(first,))


def continued(
    record: RunRecord,
    who: Caller,
    *,
    argv: tuple[str, ...],
    configured: Mapping[str, str],
    max_per_second: float,
    started_at: str,
) -> RunRecord:
    """The record of a run that another command goes on with.

    Args:
        record: the run's.
        who: who does.
        argv: its command line.
        configured: what was not typed of that.
        max_per_second: its rate.
        started_at: when it begins.
    """
    earlier = tuple(_killed(one) for one in record.invocations)
    one = _invocation(CONTINUE, argv, record, who, started_at=started_at)
    one = msgspec.structs.replace(one, max_per_second=max_per_second, configured=dict(configured))
    return msgspec.structs.replace(record, invocations=(*earlier, one))


def ended(record: RunRecord) -> RunRecord:
    """The record of a run that has ended, with how its last command did.

    Args:
        record: the run's, as it ended.
    """
    if not record.invocations:
        return record
    *earlier, last = record.invocations
    last = msgspec.structs.replace(last, ended_at=record.ended_at, status=record.status, reason=record.reason)
    return msgspec.structs.replace(record, invocations=(*earlier, last))


def started_earlier(record: RunRecord) -> bool:
    """Whether a run was started by a version that did not record its commands.

    Args:
        record: the run's.
    """
    return not record.invocations or record.invocations[0].command == CONTINUE


def _invocation(command: str, argv: tuple[str, ...], record: RunRecord, who: Caller, *, started_at: str) -> Invocation:
    return Invocation(
        command=command,
        argv=redacted(argv),
        version=__version__,
        **msgspec.structs.asdict(who),
        max_per_second=record.rollout.max_per_second,
        started_at=started_at,
    )


def _killed(invocation: Invocation) -> Invocation:
    """One that says it is under way while another begins."""
    if invocation.status is not RunStatus.RUNNING:
        return invocation
    return msgspec.structs.replace(invocation, status=RunStatus.KILLED)
