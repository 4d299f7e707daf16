"""`bulk-esm schema`: the files of a run and what commands write, as JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bulk_esm.cli.options import OutputOptions
from bulk_esm.errors import UsageError

if TYPE_CHECKING:
    from bulk_esm.cli.output import Row


def schema_command(
    name: Annotated[str | None, Parameter(name="NAME", help="Of what, such as results; without it all names.")] = None,
    /,
    *,
    output: OutputOptions = OutputOptions(),
) -> int:
    """Print the JSON Schema of a file of a run, or of what a command writes; without NAME list what there are of.

    Example: bulk-esm schema results
    """
    import msgspec

    from bulk_esm.cli.output import Results, form_for, written
    from bulk_esm.cli.schemas import DESCRIBED, schema_of
    from bulk_esm.cli.set_up import set_up_logs
    from bulk_esm.model.parameters import nearest

    set_up_logs(output)
    if name is None:
        results = Results(form_for(output.output), ("name", "of"), _row)
        results.add_all({"name": one.name, "of": one.of} for one in DESCRIBED.values())
        results.finish()
        return 0
    if name not in DESCRIBED:
        raise UsageError(f"there is no schema {name}; bulk-esm schema lists them{nearest(name, DESCRIBED)}")
    text = msgspec.json.format(msgspec.json.encode(schema_of(DESCRIBED[name])), indent=2).decode()
    written(f"{text}\n")
    return 0


def _row(one: dict[str, str]) -> Row:
    return (one["name"], one["of"])
