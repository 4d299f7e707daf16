"""`bulk-esm completion SHELL`: a script with which a shell completes what is typed."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

# What ends in = is not done: the value follows. cyclopts has bash end each word. And it has commas behind backslashes,
# where they need none: what follows the next comma would be looked for behind them.
_BASH_GOES_ON = r"""
_bulk_esm_goes_on() {
  _bulk_esm "$@"
  [[ ${#COMPREPLY[@]} -gt 0 ]] && COMPREPLY=("${COMPREPLY[@]//\\,/,}")
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}

complete -F _bulk_esm_goes_on bulk-esm
"""

# cyclopts names its function after its own installer's file. This one serves a file in $fpath and `source` alike.
_ZSH_OWN_NAME = "_cyclopts_bulk-esm"
_ZSH_END = """
if [[ $funcstack[1] == _bulk-esm ]]; then
  _bulk-esm "$@"
else
  compdef _bulk-esm bulk-esm
fi
"""


def completion_command(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(name="SHELL", help="For which shell.")], /
) -> int:
    """Print a script with which a shell completes commands, flags, and values: runs, profiles, Regions, parameters.

    Nothing is asked of AWS for that. Put it where the shell looks: with bash say eval "$(bulk-esm completion bash)" in
    ~/.bashrc; with zsh source <(bulk-esm completion zsh) in ~/.zshrc, after compinit, or write it to a file _bulk-esm
    in a folder of $fpath; with fish write it to ~/.config/fish/completions/bulk-esm.fish.

    Example: bulk-esm completion bash
    """
    from bulk_esm.cli.app import make_app
    from bulk_esm.cli.output import written

    script = make_app().generate_completion(shell=shell)
    if shell == "zsh":
        script = script.replace(_ZSH_OWN_NAME, "_bulk-esm")
    written(script + {"bash": _BASH_GOES_ON, "zsh": _ZSH_END}.get(shell, ""))
    return 0
