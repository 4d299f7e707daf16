"""JSON Schema of the files of a run and of what commands write, from the very types that write and read them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from bulk_esm.cli.config import Held
from bulk_esm.cli.list import Listed
from bulk_esm.cli.one_mapping import OneMapping
from bulk_esm.cli.runs import Unreadable
from bulk_esm.model.checks import Check
from bulk_esm.model.control import ControlRequest, ControlStatus
from bulk_esm.model.drift import Drift
from bulk_esm.model.plan import PlanItem
from bulk_esm.model.records import FileDigest, FleetRecord, RunRecord
from bulk_esm.model.result import Result
from bulk_esm.report.records import Report
from bulk_esm.runs.controlling import ControlAnswer
from bulk_esm.store.begun import Begun, BegunHead

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_FIELD: Final = re.compile(r"^ {4}(\w+): (.*)$")
_PAST_ATTRIBUTES: Final = re.compile(r"\n\n(?=\S)")


class SealedRecord(RunRecord, frozen=True, kw_only=True):
    """`run.json`: a run, with the digest of its own members.

    Attributes:
        sha256: of all other members, in hexadecimal; runs of older versions have none.
    """

    sha256: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the log. What else there is to know of it stands beside these members.

    Attributes:
        event: what happened, such as `run began`.
        level: `debug`, `info`, `warning` or `error`.
        logger: the part of the program that tells it.
        at: when, ISO 8601 in UTC.
    """

    event: str
    level: str
    logger: str
    at: str


class Described(msgspec.Struct, frozen=True):
    """What there is a schema of.

    Attributes:
        name: as `bulk-esm schema` takes it.
        of: what it describes.
        types: a record is one of these.
    """

    name: str
    of: str
    types: tuple[type[msgspec.Struct], ...]


DESCRIBED: Final = {
    one.name: one
    for one in (
        Described("run", "`run.json`", (SealedRecord,)),
        Described("fleet", "`fleet.json`", (FleetRecord,)),
        Described("plan", "a line of `plan.jsonl`, of `plan` and of a saved plan", (PlanItem, FileDigest)),
        Described("begun", "a line of `begun.jsonl`", (BegunHead, Begun)),
        Described("results", "a line of `results.jsonl`, and of what a run and `show` write", (Result,)),
        Described("log", "a line of `log.jsonl`, and of stderr with `--log-format json`", (Event,)),
        Described("asked", "a file below `asked/`", (ControlRequest, ControlStatus)),
        Described("list", "a line of `list`", (Listed,)),
        Described("runs", "a line of `runs`", (RunRecord, Unreadable)),
        Described("mapping", "what `show RUN --uuid UUID` writes", (OneMapping,)),
        Described("report", "what `report RUN --json FILE` writes", (Report,)),
        Described("control", "what `hold`, `go`, `stop` and `approve` write", (ControlAnswer,)),
        Described("verify", "a line of `verify`", (Drift,)),
        Described("doctor", "a line of `doctor`", (Check,)),
        Described("config", "a line of `config`", (Held,)),
    )
}


def schema_of(described: Described) -> dict[str, Any]:
    """The schema of a file or an output.

    Args:
        described: which.
    """
    refs, defs = msgspec.json.schema_components(described.types, ref_template="#/$defs/{name}")
    for kind in _structs(described.types):
        if (found := defs.get(kind.__name__)) is not None:
            _describe(found, kind)
    body = dict(refs[0]) if len(refs) == 1 else {"anyOf": list(refs)}
    return {"$schema": _DIALECT, "title": f"bulk-esm {described.name}", "description": described.of, **body} | {
        "$defs": dict(sorted(defs.items()))
    }


def _structs(kinds: Iterable[type[msgspec.Struct]]) -> set[type[msgspec.Struct]]:
    """These types, and those that their members are of."""
    found: set[type[msgspec.Struct]] = set()
    left: list[Any] = [msgspec.inspect.type_info(kind) for kind in kinds]
    while left:
        info = left.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in found:
            found.add(info.cls)
            left += [field.type for field in info.fields]
        for name in ("types", "item_types"):
            left += getattr(info, name, ())
        left += [getattr(info, name) for name in ("item_type", "value_type", "type") if hasattr(info, name)]
    return found


def _describe(schema: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Say of each member what the docstring of its class says, and of all the rest of that."""
    said = {name: what for base in reversed(kind.__mro__) for name, what in _attributes(base).items()}
    schema["description"] = inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes:")[0].replace("\n", " ")
    for field in msgspec.structs.fields(kind):
        member = schema["properties"][field.encode_name]
        if field.type is msgspec.Raw:  # whatever it holds; here a mapping as Lambda returned it
            member["type"] = "object"
        if field.name in said:
            member["description"] = said[field.name].replace("None", "null")  # in the words of JSON


def _attributes(kind: type) -> dict[str, str]:
    """What a docstring says under `Attributes:`, by name."""
    _, _, section = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in _PAST_ATTRIBUTES.split(section)[0].splitlines():
        if begins := _FIELD.match(line):
            name, found[begins[1]] = begins[1], begins[2]
        elif name:
            found[name] += f" {line.strip()}"
    return found
