"""The commands, each in a file of its own that is imported when it is used; and errors as exit codes."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError, Parameter

from bulk_esm._version import __version__
from bulk_esm.errors import BulkEsmError, UsageError

INTERRUPTED = 130

app = App(
    name="bulk-esm",
    help="Change thousands of AWS Lambda event source mappings safely, and know what became of every one.",
    version=__version__,
    default_parameter=Parameter(negative=(), show_default=lambda value: str(value) if value not in ((), False) else ""),
    help_epilogue="Start with: bulk-esm demo. Then: bulk-esm list, bulk-esm pause --function 'orders-*' --dry-run",
)
_COMMANDS = {
    "list": "Show the mappings that are there.",
    "plan": "Show what a change would do; changes nothing.",
    "apply": "Change mappings.",
    "pause": "Disable mappings, to enable exactly those again later.",
    "resume": "Enable mappings, or just those that a run paused.",
    "runs": "List what was done before.",
    "show": "Show what became of each mapping of a run.",
    "simulate": "Run a Lambda control plane on loopback.",
    "demo": "Pause and resume a simulated fleet, start to end.",
}
for _name, _help in _COMMANDS.items():
    app.command(f"bulk_esm.cli.{_name}:{_name}_command", name=_name, help=_help)
app.register_install_completion_command(help="Install shell completion for bash, zsh or fish.")


def run(arguments: list[str]) -> int:
    """Run one command line.

    Args:
        arguments: the words after `bulk-esm`.

    Returns:
        The exit code; see the README.
    """
    try:
        code = app(arguments, result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _complain(UsageError(f"{error} See: bulk-esm {_command_of(arguments)}--help"))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BulkEsmError as error:
        return _complain(error)
    return int(code or 0)


def _command_of(arguments: list[str]) -> str:
    return f"{arguments[0]} " if arguments and arguments[0] in _COMMANDS else ""


def _complain(error: BulkEsmError) -> int:
    sys.stderr.write(f"bulk-esm: {error}\n")
    return error.exit_code
