"""The commands, each in a file of its own that is imported when it is used; and errors as exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

from cyclopts import App, CycloptsError, Parameter

from bulk_esm._version import __version__
from bulk_esm.cli.configuration import Configuration
from bulk_esm.cli.configured import configured, with_places
from bulk_esm.cli.early import wants_detailed_exit_code, wants_json
from bulk_esm.cli.selection_text import expanded_hint
from bulk_esm.cli.signals import INTERRUPTED
from bulk_esm.cli.streams import manner, say, speaks_json, tell
from bulk_esm.errors import BulkEsmError, RecordingError, UnwritableError, UsageError

COMMANDS: Final = {
    "list": "Show the mappings that are there.",
    "plan": "Show what a change would do; changes nothing.",
    "apply": "Change mappings.",
    "pause": "Disable mappings, to enable exactly those again later.",
    "resume": "Enable mappings, or just those that a run paused.",
    "rollback": "Put back what a run changed.",
    "continue": "Finish an interrupted run.",
    "hold": "Have a run that is at work send nothing for now.",
    "go": "Have a run go on that is held.",
    "stop": "Have a run that is at work halt.",
    "approve": "Let the next wave of a run begin.",
    "verify": "Tell whether the mappings still have what a run set.",
    "doctor": "Tell whether a job can be done here, before it is begun.",
    "runs": "List what was done before.",
    "show": "Show what became of each mapping of a run.",
    "report": "Make a page of a run, or of a saved plan.",
    "config": "Show what is configured, and where.",
    "schema": "Print the JSON Schema of a run's files, and of what commands write.",
    "unlock": "Take away a lock in S3 that nobody holds any more.",
    "simulate": "Run a Lambda control plane on loopback.",
    "demo": "Pause and resume a simulated fleet, start to end.",
    "completion": "Print the script by which a shell completes what is typed.",
}

_EPILOGUE: Final = """Start with: bulk-esm demo
Then look: bulk-esm list, and bulk-esm pause --function 'orders-*' --dry-run
More of a command: bulk-esm help COMMAND
More of everything: README.md and docs/ of bulk_esm"""
_TAKE_A_RUN: Final = frozenset("rollback continue hold go stop approve verify show report".split())  # noqa: SIM905


def make_app(used: str | None = None) -> App:
    """Make the application."""
    app = App(
        name="bulk-esm",
        help="Change thousands of AWS Lambda event source mappings safely, and know what became of every one.",
        version=f"bulk-esm {__version__}",
        default_parameter=Parameter(negative=(), show_default=_shown_default),
        help_format="plaintext",  # a glob's * and a JMESPath's ` are not markup
        help_epilogue=None if used else _EPILOGUE,
    )
    for name, summary in COMMANDS.items():
        settings = {"usage": _usage(name)} if name == used else {"help": summary}
        module = "continue_" if name == "continue" else name  # a word of the language
        app.command(f"bulk_esm.cli.{module}:{name}_command", name=name, **settings)
    app.config = (Configuration(app, COMMANDS),)
    return app


def run(arguments: list[str]) -> int:
    """Run one command line.

    Returns:
        The exit code; see docs/exit-codes.md.
    """
    configured({}, {})
    try:
        arguments = _with_words_as_flags(arguments)
    except UsageError as error:
        return _complain(error, arguments=arguments)
    manner(as_json=wants_json(arguments))
    used = next((word for word in arguments[:1] if word in COMMANDS), None)
    try:
        return _run(used, arguments)
    except CycloptsError as error:
        unused = expanded_hint(getattr(error, "unused_tokens", None) or ())
        found: BulkEsmError = UsageError(f"{error}{unused} See: bulk-esm {f'{used} ' if used else ''}--help")
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        found = _cause(error)
        found.args = (with_places(_named_as_known(found)), *found.args[1:])
    finally:
        if (places := sys.modules.get("bulk_esm.cli.places")) is not None:  # none was opened otherwise
            places.close_places()
    return _complain(found, used, arguments)


def _run(used: str | None, arguments: list[str]) -> int:
    for argument in arguments:
        if any("\ud800" <= each <= "\udfff" for each in argument):  # how Python passes on bytes that are no UTF-8
            raise UsageError(f"{argument!r} is not text in UTF-8; give it another name")
    if used and arguments[1:] == ["--help"]:
        make_app(used).help_print([used])  # without reading the flags first, for all of which there is help
        return 0
    code = make_app(used)(arguments, result_action="return_value", exit_on_error=False, print_error=False)
    return int(code or 0)


def _with_words_as_flags(arguments: list[str]) -> list[str]:
    """`help`, `help COMMAND` and `version` as words, as people type them too.

    Raises:
        UsageError: there is more behind them than they take.
    """
    match arguments:
        case ["help", command] if command in COMMANDS:
            return [command, "--help"]
        case ["help"] | ["help", "help" | "--help" | "-h"]:
            return ["--help"]
        case ["version"] | ["help", "version"]:
            return ["--version"]
        case ["version", *more]:
            raise UsageError(f"version takes no argument: {' '.join(more)}")
        case ["help", _, *more] if more:
            raise UsageError(f"help takes one COMMAND: {' '.join(arguments[1:])}")
        case ["help", *unknown]:  # named as if it were typed, with what it may have been meant to be
            return unknown
        case _:
            return arguments


def _cause(error: Exception) -> BulkEsmError:
    """What to tell the user: the first error of a task group, and whatever we did not think of in one line."""
    first: BaseException = error
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, BulkEsmError):
        return first
    from bulk_esm.logs import get_logger  # not worth its time where nothing fails

    get_logger("cli").debug("unexpected", exc_info=error)
    if isinstance(first, OSError) and first.filename is not None:  # nothing was sent: what fails in a run halts it
        return UsageError(f"{first.filename}: {first.strerror}")
    if isinstance(first, OSError):
        return BulkEsmError(f"{first}")
    if isinstance(first, RuntimeError) and "home directory" in str(first):  # pathlib's words
        return UsageError("this user has no home folder: set HOME")
    return BulkEsmError(f"{type(first).__name__}: {first}; please report this, with what --log-level debug shows")


def _named_as_known(error: BulkEsmError) -> str:
    """What is wrong, in names that the user knows: of what is in S3 those there, but where it is this disk that is."""
    places = sys.modules.get("bulk_esm.cli.places")
    if places is None or isinstance(error, (RecordingError, UnwritableError)):
        return str(error)
    return str(places.as_shown(str(error)))


def _usage(name: str) -> str:
    """As cyclopts writes it, who reads all flags for that: a tenth of the time that help takes."""
    if name == "completion":
        return "Usage: bulk-esm completion SHELL"
    operands = {"config": " [ARGS]", "schema": " [ARGS]", "unlock": " SHARD", **dict.fromkeys(_TAKE_A_RUN, " RUN")}
    return f"Usage: bulk-esm {name} [OPTIONS]{operands.get(name, '')}"


def _shown_default(value: Any) -> str | None:
    return None if value is None or value is False or value == () else str(value)


def _complain(error: BulkEsmError, used: str | None = None, arguments: Sequence[str] = ()) -> int:
    # Where 2 is to mean changes, nothing else may.
    code = 1 if used == "plan" and wants_detailed_exit_code(arguments) else error.exit_code
    if speaks_json() or wants_json(arguments):
        tell(str(error), level="error", more={"exit_code": code})
    else:
        say(f"bulk-esm: {error}")
    return code
