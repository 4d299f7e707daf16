"""The command line of scripts/probe."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import botocore
import msgspec

from bulk_esm._version import __version__
from bulk_esm.aws.control_plane import ControlPlane
from bulk_esm.aws.logins import Logins
from bulk_esm.aws.session import ConnectionSettings, connect
from bulk_esm.clock import Clock, iso
from bulk_esm.errors import BulkEsmError, UsageError
from bulk_esm.model.mapping import EventSourceMapping
from probing.identities import Identities
from probing.preview import WARNING, preview
from probing.probe import Outcome, Probe, how_to_put_back
from probing.recorder import Recorder

FORMAT: Final = 1
MOST_PER_SECOND: Final = 5.0  # of the 15 that the account has for all callers (F§1.1)
_CONSENT: Final = "--yes-this-costs-requests"

Say = Callable[[str], None]


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="scripts/probe", description=__doc__, epilog=WARNING)
    made.add_argument(
        _CONSENT, dest="agreed", action="store_true", help="really do it; else it only says what it would"
    )
    made.add_argument("--region", required=True)
    made.add_argument("--profile")
    made.add_argument("--endpoint-url", help="another endpoint than AWS's own, such as a simulator's")
    made.add_argument("--output", type=Path, required=True, help="the recording to write; it must not be there yet")
    made.add_argument("--may-enable", action="store_true", help="enable what is Disabled for a moment; else not probed")
    made.add_argument("uuids", nargs="+", metavar="UUID", help="a mapping that may be changed; one of each source type")
    return made


async def probe(arguments: argparse.Namespace, *, clock: Clock | None = None, say: Say) -> int:
    """Probe all mappings that were named, one after another, or say what that would send.

    Args:
        arguments: as `parser` makes them.
        clock: the time.
        say: tells the user.

    Returns:
        The exit code: 0 if all steps were taken and everything was put back, 2 if nothing was to be sent, else 1.
    """
    if arguments.output.exists():
        raise UsageError(f"{arguments.output} exists: name a new file")
    clock = clock or Clock()
    recorder = Recorder(clock)
    settings = ConnectionSettings(
        region=arguments.region,
        profile=arguments.profile,
        endpoint_url=arguments.endpoint_url,
        max_per_second=MOST_PER_SECOND,
    )
    logins = Logins()
    recorder.attach(logins.of_profile(arguments.profile))
    async with connect(settings, clock=clock, logins=logins) as connection:
        control_plane = connection.control_plane
        originals = [await _original(control_plane, recorder, uuid) for uuid in dict.fromkeys(arguments.uuids)]
        say(WARNING)
        if not arguments.agreed:
            for original in originals:
                for line in preview(original, may_enable=arguments.may_enable):
                    say(line)
            say(f"Nothing was changed: these mappings were read, a Get each. To go ahead, add {_CONSENT}.")
            return 2
        try:
            outcomes = [
                await _one(control_plane, recorder, clock, original, say, may_enable=arguments.may_enable)
                for original in originals
            ]
        finally:
            header = _header(clock, connection.region, originals, is_aws=control_plane.is_aws)
            _write(arguments.output, [header, *recorder.lines])
            say(f"{arguments.output}: {len(recorder.lines)} lines, no identities; look through it before you share it")
    return 1 if any(outcome.stopped_by or outcome.left for outcome in outcomes) else 0


async def _original(control_plane: ControlPlane, recorder: Recorder, uuid: str) -> EventSourceMapping:
    recorder.about(uuid, "get")
    mapping = await control_plane.get(uuid)
    if not mapping.at_rest:
        raise UsageError(f"{uuid} is {mapping.state}: name mappings that are Enabled or Disabled")
    return mapping


async def _one(
    control_plane: ControlPlane,
    recorder: Recorder,
    clock: Clock,
    original: EventSourceMapping,
    say: Say,
    *,
    may_enable: bool,
) -> Outcome:
    say(f"{original.uuid}  {original.source_type}  {original.state}. Should this program die, put it back by:")
    say(f"  {how_to_put_back(original, control_plane.region)}")
    outcome = await Probe(control_plane, recorder, clock, original, say).run(may_enable=may_enable)
    if outcome.stopped_by:
        say(f"  stopped: {outcome.stopped_by}")
    return outcome


def _header(clock: Clock, region: str, originals: list[EventSourceMapping], *, is_aws: bool) -> dict[str, Any]:
    return {
        "recording": FORMAT,
        "version": __version__,
        "botocore": botocore.__version__,
        "date": iso(clock.now()),
        "region": region,
        "endpoint": "aws" if is_aws else "other",
        "mappings": [
            {"mapping": mapping.uuid, "source_type": str(mapping.source_type), "State": mapping.state}
            for mapping in originals
        ],
    }


def _write(output: Path, lines: list[Any]) -> None:
    replaced = Identities().replace_all(lines)
    output.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in replaced))


async def _until_told_to_stop(arguments: argparse.Namespace) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):  # SIGINT is asyncio's own
            loop.add_signal_handler(number, task.cancel)
    return await probe(arguments, say=lambda line: print(line, file=sys.stderr, flush=True))


def main(words: Sequence[str] | None = None) -> int:
    """Run, and turn errors into exit codes.

    Args:
        words: the command line; that of the process if left out.
    """
    arguments = parser().parse_args(words)
    try:
        return asyncio.run(_until_told_to_stop(arguments))
    except BulkEsmError as error:
        print(f"scripts/probe: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
